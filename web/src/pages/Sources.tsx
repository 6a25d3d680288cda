import { Button, Modal, Select, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Source } from '@/api/types'
import { useMay } from '@/components/session'
import { sourceState, sourceTitle } from '@/components/sourceState'
import { count } from '@/lib/format'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { Chip, StateDot } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { done } from '@/ui/toast'

const COLUMNS: ReadonlyArray<TableColumn<Source>> = [
  {
    id: 'title',
    title: 'Source',
    width: 230,
    grow: true,
    render: (s) => (
      <span title={sourceTitle(s)}>
        <strong style={{ fontWeight: 550 }}>{sourceTitle(s)}</strong> <code className="dim">{s.name}</code>
      </span>
    ),
  },
  {
    id: 'state',
    title: 'State',
    width: 140,
    render: (s) => {
      const state = sourceState(s)
      return <StateDot tone={state.tone}>{state.words}</StateDot>
    },
  },
  { id: 'seen', title: 'Last seen', width: 120, render: (s) => <Ago at={s.last_seen_at} /> },
  { id: 'rate', title: 'Events per min', width: 120, align: 'right', render: (s) => (s.rate_per_minute >= 10 ? count(Math.round(s.rate_per_minute)) : s.rate_per_minute.toFixed(1)) },
  { id: 'total', title: 'Events', width: 110, align: 'right', render: (s) => count(s.events_total) },
  { id: 'aside', title: 'Set aside', width: 100, align: 'right', render: (s) => (s.set_aside > 0 ? <span style={{ color: 'var(--warn)', fontWeight: 600 }}>{count(s.set_aside)}</span> : <span className="dim">0</span>) },
  { id: 'mapping', title: 'Read by', width: 180, render: (s) => (s.mapping ? `${s.mapping}${s.mapping_version != null && s.mapping_version > 1 ? ` version ${s.mapping_version}` : ''}` : <span className="dim">events already</span>) },
  { id: 'builtin', title: '', width: 84, render: (s) => (s.builtin ? <Chip>built in</Chip> : null) },
]

export function Sources() {
  const { data, error, isPending, refetch } = useQuery(ask.sources)
  const navigate = useNavigate()
  const may = useMay()
  const [making, make] = useDisclosure(false)
  // What speaks stands first, then what fell silent, then what was never connected.
  const rows = [...(data?.items ?? [])].sort((a, b) => (b.last_seen_at ?? '').localeCompare(a.last_seen_at ?? '') || a.name.localeCompare(b.name))
  return (
    <Page
      fill
      title="Sources"
      lead="Where events come from, and whether they come as they should."
      actions={
        may('sources:write') && (
          <Button leftSection={<Plus size={14} />} onClick={make.open}>
            New source
          </Button>
        )
      }
    >
      {error && <Failure of={error} again={() => void refetch()} />}
        <Listing>
          <DataTable
            name="sources"
            columns={COLUMNS}
            rows={rows}
            rowKey={(s) => s.name}
            onOpen={(s) => void navigate({ to: `/sources/${s.name}` })}
            loading={isPending}
            narrow={(s) => <TwoLines first={<StateDot tone={sourceState(s).tone}>{sourceTitle(s)}</StateDot>} aside={<Ago at={s.last_seen_at} />} second={`${count(s.events_total)} events${s.set_aside > 0 ? ` · ${count(s.set_aside)} set aside` : ''}`} />}
            empty={!error && <Empty title="There is no source" />}
          />
        </Listing>
      {making && <NewSource close={make.close} />}
    </Page>
  )
}

function NewSource({ close }: { close: () => void }) {
  const { data } = useQuery(ask.mappings)
  const client = useQueryClient()
  const navigate = useNavigate()
  const [draft, setDraft] = useState({ name: '', title: '', mapping: 'generic' })
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    try {
      const made = await answer(http.POST('/api/v1/sources', { body: { ...draft, name: draft.name.trim(), enabled: true } }))
      await client.invalidateQueries({ queryKey: ask.key('sources') })
      done('Source made', made.title || made.name)
      void navigate({ to: `/sources/${made.name}` })
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <Modal opened onClose={close} title={<strong>New source</strong>}>
      <form onSubmit={submit} className="stack">
        <TextInput label="Name" description="In the address it sends to, and in event.module. Small letters, digits, dots and dashes." placeholder="vault-prod" value={draft.name} onChange={(e) => setDraft({ ...draft, name: e.currentTarget.value })} required withAsterisk={false} data-autofocus />
        <TextInput label="Title" placeholder="Vault, production" value={draft.title} onChange={(e) => setDraft({ ...draft, title: e.currentTarget.value })} />
        <Select label="Read by the mapping" value={draft.mapping} onChange={(v) => setDraft({ ...draft, mapping: v ?? '' })} data={[...(data?.items ?? []).map((m) => ({ value: m.name, label: m.name })), { value: '', label: 'none: it sends events already' }]} />
        {failure !== null && <Failure of={failure} />}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" disabled={draft.name.trim() === ''}>
            Make the source
          </Button>
        </div>
      </form>
    </Modal>
  )
}
