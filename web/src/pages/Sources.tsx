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
import { rateWords, skewWords, sourceState, sourceTitle } from '@/components/sourceState'
import { count } from '@/lib/format'
import { duration } from '@/lib/time'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { DialogFoot } from '@/ui/DialogFoot'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { StateDot } from '@/ui/Panel'
import { Spark } from '@/ui/Spark'
import { Ago } from '@/ui/Time'
import { done } from '@/ui/toast'

interface Row {
  source: Source
  /** Events of each of the last 24 hours, the oldest first. */
  hours: number[]
}

const COLUMNS: ReadonlyArray<TableColumn<Row>> = [
  {
    id: 'title',
    title: 'Source',
    width: 220,
    grow: true,
    render: ({ source: s }) => (
      <span title={sourceTitle(s)}>
        <strong style={{ fontWeight: 550 }}>{sourceTitle(s)}</strong> <code className="dim">{s.name}</code>
      </span>
    ),
  },
  {
    id: 'state',
    title: 'State',
    width: 146,
    render: ({ source: s }) => {
      const state = sourceState(s)
      return (
        <span title={s.health.reason}>
          <StateDot tone={state.tone}>{state.words}</StateDot>
        </span>
      )
    },
  },
  { id: 'seen', title: 'Last seen', width: 100, render: ({ source: s }) => <Ago at={s.last_seen_at} /> },
  { id: 'day', title: '24 hours', width: 116, render: ({ source: s, hours }) => <Spark counts={hours} label={`${count(hours.reduce((n, h) => n + h, 0))} events of ${s.name} in 24 hours`} /> },
  { id: 'rate', title: 'Per min', width: 80, align: 'right', render: ({ source: s }) => rateWords(s.rate_per_minute) },
  { id: 'lag', title: 'Lag', width: 76, align: 'right', render: ({ source: s }) => (s.health.lag_ms ? duration(s.health.lag_ms.p50) : <span className="dim">—</span>) },
  { id: 'skew', title: 'Clock', width: 104, render: ({ source: s }) => (s.health.clock_skew_ms == null ? <span className="dim">—</span> : skewWords(s.health.clock_skew_ms)) },
  { id: 'gaps', title: 'Gaps', width: 64, align: 'right', render: ({ source: s }) => <Worth n={s.health.gaps_open} /> },
  { id: 'aside', title: 'Set aside', width: 90, align: 'right', render: ({ source: s }) => <Worth n={s.set_aside} /> },
  { id: 'total', title: 'Events', width: 100, align: 'right', render: ({ source: s }) => count(s.events_total) },
  { id: 'mapping', title: 'Read by', width: 130, render: ({ source: s }) => s.mapping || <span className="dim">events already</span> },
]

/** A number that is worth a look when it is not 0. */
function Worth({ n }: { n: number }) {
  return n > 0 ? <span style={{ color: 'var(--warn)', fontWeight: 600 }}>{count(n)}</span> : <span className="dim">0</span>
}

const DAY_OF_HOURS = { filter: '', from: 'now-24h', to: 'now' }

export function Sources() {
  const { data, error, isPending, refetch } = useQuery(ask.sources)
  const navigate = useNavigate()
  const may = useMay()
  const [making, make] = useDisclosure(false)
  // What fell silent stands first, then what speaks, then what was never connected.
  const day = useQuery({ ...ask.summary(DAY_OF_HOURS, 'event.module', 'hour', 100), enabled: may('events:read') })
  const rows = [...(data?.items ?? [])]
    .sort((a, b) => Number(b.health.state === 'silent') - Number(a.health.state === 'silent') || (b.last_seen_at ?? '').localeCompare(a.last_seen_at ?? '') || a.name.localeCompare(b.name))
    .map((source): Row => ({ source, hours: (day.data?.buckets ?? []).map((b) => b.by[source.name] ?? 0) }))
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
            rowKey={(r) => r.source.name}
            onOpen={(r) => void navigate({ to: `/sources/${r.source.name}` })}
            loading={isPending}
            narrow={({ source: s }) => <TwoLines first={<StateDot tone={sourceState(s).tone}>{sourceTitle(s)}</StateDot>} aside={<Ago at={s.last_seen_at} />} second={`${count(s.events_total)} events${s.set_aside > 0 ? ` · ${count(s.set_aside)} set aside` : ''}`} />}
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
        <DialogFoot failure={failure} close={close} action="Make the source" ready={draft.name.trim() !== ''} />
      </form>
    </Modal>
  )
}
