import { Button, Modal, MultiSelect, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Application } from '@/api/types'
import { useMay } from '@/components/session'
import { plural } from '@/lib/format'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { DialogFoot } from '@/ui/DialogFoot'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { StateDot } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { done } from '@/ui/toast'

const COLUMNS: ReadonlyArray<TableColumn<Application>> = [
  {
    id: 'title',
    title: 'Application',
    width: 240,
    grow: true,
    render: (a) => (
      <>
        <strong style={{ fontWeight: 550 }}>{a.title || a.name}</strong> <code className="dim">{a.name}</code>
      </>
    ),
  },
  { id: 'state', title: 'State', width: 110, render: (a) => <StateDot tone={!a.enabled ? 'idle' : a.devices > 0 ? 'ok' : 'idle'}>{!a.enabled ? 'off' : a.devices > 0 ? 'on' : 'no device'}</StateDot> },
  { id: 'devices', title: 'Devices', width: 90, align: 'right', render: (a) => a.devices },
  { id: 'grants', title: 'Shared with it', width: 240, grow: true, render: (a) => a.grants.map((g) => g.name).join(', ') || <span className="dim">nothing</span> },
  { id: 'owner', title: 'Owner', width: 150, render: (a) => a.owner || <span className="dim">—</span> },
  { id: 'seen', title: 'Last seen', width: 110, render: (a) => <Ago at={a.last_seen_at} /> },
]

export function Applications() {
  const { data, error, isPending, refetch } = useQuery(ask.applications)
  const navigate = useNavigate()
  const may = useMay()
  const [making, setMaking] = useState(false)
  const make = may('applications:manage') && (
    <Button leftSection={<Plus size={14} />} onClick={() => setMaking(true)}>
      New application
    </Button>
  )
  return (
    <Page fill title="Applications" lead="Programs that send events, each with its own devices and credentials." actions={make}>
      {error && <Failure of={error} again={() => void refetch()} />}
      <Listing>
        <DataTable
          name="applications"
          columns={COLUMNS}
          rows={data?.items ?? []}
          rowKey={(a) => a.name}
          onOpen={(a) => void navigate({ to: `/applications/${a.name}` })}
          loading={isPending}
          narrow={(a) => <TwoLines first={a.title || a.name} aside={<Ago at={a.last_seen_at} />} second={plural(a.devices, 'device')} />}
          empty={
            !error && (
              <Empty title="No application yet" action={make}>
                An application is a sender whose devices are enrolled one by one, with a one-time token. Each has a credential of its own, can be locked to its address, and taken out of service alone.
              </Empty>
            )
          }
        />
      </Listing>
      {making && <NewApplication close={() => setMaking(false)} />}
    </Page>
  )
}

function NewApplication({ close }: { close: () => void }) {
  const sources = useQuery(ask.sources)
  const client = useQueryClient()
  const navigate = useNavigate()
  const [draft, setDraft] = useState({ name: '', title: '', owner: '' })
  const [granted, setGranted] = useState<string[]>([])
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      const grants = granted.map((name) => ({ kind: 'source' as const, name, rights: ['send' as const] }))
      const made = await answer(http.POST('/api/v1/applications', { body: { ...draft, name: draft.name.trim(), description: '', enabled: true, grants } }))
      await client.invalidateQueries({ queryKey: ask.key('applications') })
      done('Application made', 'Enrol its first device now.')
      void navigate({ to: `/applications/${made.name}` })
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <Modal opened onClose={close} title={<strong>New application</strong>}>
      <form onSubmit={submit} className="stack">
        <TextInput label="Name" description="Becomes event.provider of what it sends. Small letters, digits, dots and dashes." placeholder="payroll" value={draft.name} onChange={(e) => setDraft({ ...draft, name: e.currentTarget.value })} required withAsterisk={false} data-autofocus />
        <TextInput label="Title" placeholder="Payroll" value={draft.title} onChange={(e) => setDraft({ ...draft, title: e.currentTarget.value })} />
        <TextInput label="Owner" description="Who answers for it." value={draft.owner} onChange={(e) => setDraft({ ...draft, owner: e.currentTarget.value })} />
        <MultiSelect
          label="May send to"
          description="The sources that its events may go to; “events” stands for events that need no source."
          searchable
          value={granted}
          onChange={setGranted}
          data={[...new Set(['events', ...(sources.data?.items ?? []).filter((s) => s.name !== 'belfry').map((s) => s.name)])]}
        />
        <DialogFoot failure={failure} close={close} action="Make the application" ready={draft.name.trim() !== ''} />
      </form>
    </Modal>
  )
}
