import { Button, Select, Switch, TextInput, Textarea } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Input, InputKind } from '@/api/types'
import { useMay } from '@/components/session'
import { count, plural } from '@/lib/format'
import { SETTINGS, formOf, settingsOf } from '@/lib/inputs'
import { useAsk } from '@/ui/Ask'
import { TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { OpenList } from '@/ui/OpenList'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done } from '@/ui/toast'

const KINDS: Record<InputKind, string> = { files: 'Files', journald: 'Journal', nats: 'NATS', kafka: 'Kafka' }
const STATES = { off: { tone: 'idle', words: 'off' }, starting: { tone: 'busy', words: 'starting' }, running: { tone: 'ok', words: 'reading' }, failing: { tone: 'bad', words: 'failing' } } as const

const COLUMNS: ReadonlyArray<TableColumn<Input>> = [
  { id: 'name', title: 'Input', width: 180, render: (i) => <strong style={{ fontWeight: 550 }}>{i.name}</strong> },
  { id: 'kind', title: 'Reads', width: 90, render: (i) => KINDS[i.kind] },
  { id: 'where', title: 'Where', width: 260, grow: true, render: (i) => <code>{where(i)}</code> },
  { id: 'state', title: 'State', width: 110, render: (i) => <StateDot tone={STATES[i.state].tone}>{STATES[i.state].words}</StateDot> },
  { id: 'source', title: 'Source', width: 130, render: (i) => i.source || <span className="dim">each its own</span> },
  { id: 'records', title: 'Records', width: 100, align: 'right', render: (i) => count(i.records) },
  { id: 'rejected', title: 'Set aside', width: 90, align: 'right', render: (i) => (i.rejected > 0 ? <span style={{ color: 'var(--warn)' }}>{count(i.rejected)}</span> : <span className="dim">0</span>) },
  { id: 'last', title: 'Last', width: 100, render: (i) => <Ago at={i.last_at} /> },
]

function where(input: Input): string {
  const { paths, units, subjects, topics } = input.settings
  const list = [paths, units, subjects, topics].find((l) => Array.isArray(l) && l.length > 0)
  return Array.isArray(list) ? list.join(', ') : input.kind === 'journald' ? 'all units' : ''
}

export function InputList({ make }: { make: ReactNode }) {
  const [address, setAddress] = useAddress()
  const asked = useQuery(ask.inputs)
  const close = (): void => setAddress({ open: undefined })
  const open = asked.data?.items.find((i) => i.id === address.open)
  return (
    <>
      <OpenList
        name="inputs"
        columns={COLUMNS}
        asked={asked}
        rowKey={(i) => i.id}
        narrow={(i) => <TwoLines first={<StateDot tone={STATES[i.state].tone}>{i.name}</StateDot>} aside={<Ago at={i.last_at} />} second={`${KINDS[i.kind]} · ${where(i)}`} />}
        empty={<Empty title="Belfry reads nothing by itself yet" action={make}>Log files on this server, its journal, and subjects of NATS or Kafka can be read without any shipper. Where it stands is kept: after a restart it goes on at the right byte.</Empty>}
      />
      {(open || address.open === 'new') && <One key={open?.id ?? 'new'} input={open} close={close} />}
    </>
  )
}

function One({ input, close }: { input?: Input; close: () => void }) {
  const may = useMay()
  const writable = may('sources:write')
  const client = useQueryClient()
  const sources = useQuery(ask.sources)
  const [asking, question] = useAsk()
  const [name, setName] = useState(input?.name ?? '')
  const [kind, setKind] = useState<InputKind>(input?.kind ?? 'files')
  const [source, setSource] = useState(input?.source ?? '')
  const [enabled, setEnabled] = useState(input?.enabled ?? true)
  const [form, setForm] = useState(() => formOf(input?.settings ?? { from: 'end' }))
  const [failure, setFailure] = useState<unknown>(null)
  const [tested, setTested] = useState<{ ok: boolean; detail: string } | null>(null)
  const fresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('inputs') })
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    const body = { name: name.trim(), kind, source, enabled, settings: settingsOf(kind, form) as Record<string, never> }
    try {
      if (input) await answer(http.PUT('/api/v1/inputs/{id}', { params: { path: { id: input.id } }, body }))
      else await answer(http.POST('/api/v1/inputs', { body }))
      await fresh()
      done(input ? 'Input saved' : 'Input made', name)
      close()
    } catch (cause) {
      setFailure(cause)
    }
  }
  const test = async (): Promise<void> => {
    if (!input) return
    setFailure(null)
    try {
      setTested(await answer(http.POST('/api/v1/inputs/{id}/test', { params: { path: { id: input.id } } })))
    } catch (cause) {
      setFailure(cause)
    }
  }
  const remove = (): void => {
    if (!input) return
    asking({
      title: 'Remove this input?',
      text: 'Belfry stops reading there, and forgets how far it was. What it read stays in the trail.',
      action: 'Remove the input',
      name: input.name,
      run: async () => {
        await answer(http.DELETE('/api/v1/inputs/{id}', { params: { path: { id: input.id } } }))
        await fresh()
        close()
      },
    })
  }
  return (
    <SidePanel label="Input" title={input ? input.name : 'New input'} onClose={close}>
      {question}
      {input && (
        <Facts>
          <Fact name="State">
            <StateDot tone={STATES[input.state].tone}>{STATES[input.state].words}</StateDot>
            {input.retry_at && (
              <span className="dim">
                {' '}
                again <Ago at={input.retry_at} />
              </span>
            )}
          </Fact>
          {input.last_error && (
            <Fact name="Last failure">
              {input.last_error} <span className="dim"><Ago at={input.last_error_at} /></span>
            </Fact>
          )}
          <Fact name="Read so far">
            {plural(input.records, 'record')}, {count(input.rejected)} set aside
          </Fact>
          {input.positions.slice(0, 12).map((p) => (
            <Fact key={p.label} name={<code>{p.label}</code>}>
              at {p.position} <span className="dim"><Time at={p.updated_at} style="moment" /></span>
            </Fact>
          ))}
        </Facts>
      )}
      <form onSubmit={submit} className="stack">
        <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} disabled={!writable} required withAsterisk={false} />
        <Select label="Reads" value={kind} disabled={!writable || input !== undefined} onChange={(v) => setKind((v ?? 'files') as InputKind)} data={Object.entries(KINDS).map(([value, label]) => ({ value, label }))} />
        <Select
          label="Source"
          description="Whose mapping reads the records."
          searchable
          disabled={!writable}
          value={source}
          onChange={(v) => setSource(v ?? '')}
          data={[{ value: '', label: 'each record finds its own' }, ...(sources.data?.items ?? []).filter((s) => s.name !== 'belfry' && s.name !== 'events').map((s) => ({ value: s.name, label: s.name }))]}
        />
        {SETTINGS[kind].map((s) => {
          const value = form[s.name] ?? ''
          const set = (v: string): void => setForm({ ...form, [s.name]: v })
          const common = { key: s.name, label: s.title, description: s.hint, disabled: !writable }
          if (s.form === 'switch') return <Switch {...common} key={s.name} checked={value === 'true'} onChange={(e) => set(String(e.currentTarget.checked))} />
          if (s.form === 'choice') return <Select {...common} key={s.name} value={value || 'end'} onChange={(v) => set(v ?? '')} data={(s.choices ?? []).map((c) => ({ value: c, label: c === 'begin' ? 'the beginning' : 'the end' }))} />
          if (s.form === 'list') return <Textarea {...common} key={s.name} autosize minRows={1} maxRows={6} spellCheck={false} value={value} required={s.needed} withAsterisk={false} onChange={(e) => set(e.currentTarget.value)} />
          return <TextInput {...common} key={s.name} type={s.form === 'secret' ? 'password' : 'text'} autoComplete="off" value={value} onChange={(e) => set(e.currentTarget.value)} />
        })}
        <Switch label="Reads now" checked={enabled} disabled={!writable} onChange={(e) => setEnabled(e.currentTarget.checked)} />
        {failure !== null && <Failure of={failure} />}
        {tested && (
          <div role="status">
            <StateDot tone={tested.ok ? 'ok' : 'bad'}>{tested.ok ? 'It can read' : 'It can\'t read'}</StateDot> <span>{tested.detail}</span>
          </div>
        )}
        {writable && (
          <div className="row wrap">
            <Button type="submit">{input ? 'Save' : 'Make the input'}</Button>
            {input && (
              <>
                <Button variant="default" onClick={() => void test()}>
                  Try it
                </Button>
                <Button variant="default" onClick={remove}>
                  Remove…
                </Button>
              </>
            )}
          </div>
        )}
      </form>
    </SidePanel>
  )
}
