import { Button, Menu, Modal, Select, Skeleton, TagsInput, Textarea, TextInput, Popover } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ChevronDown, Columns3, Copy, History, Mail, Play, Trash2 } from 'lucide-react'
import { useMemo, useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Column, Definition, Format, ReportPreview } from '@/api/types'
import { ColumnList } from '@/components/ColumnChooser'
import { KqlBar } from '@/components/KqlBar'
import { RangePicker } from '@/components/RangePicker'
import { RunCard } from '@/components/RunCard'
import { useMay } from '@/components/session'
import { useAskedAt } from '@/components/useQuestion'
import { count, plural } from '@/lib/format'
import { both } from '@/lib/kql'
import { span, type Range } from '@/lib/range'
import { show, type Json } from '@/lib/record'
import { useAsk } from '@/ui/Ask'
import { DataTable, type TableColumn } from '@/ui/DataTable'
import { DialogFoot } from '@/ui/DialogFoot'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Chip, Panel } from '@/ui/Panel'
import { SeverityMark } from '@/ui/Severity'
import { Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done, failed } from '@/ui/toast'
import classes from './Reports.module.css'

const GROUPS = ['Audits', 'Operations', 'Access', 'Compliance', 'Mine']

export function Reports() {
  const { id } = useParams({ strict: false }) as { id?: string }
  const { data, error, isPending, refetch } = useQuery(ask.reports)
  const navigate = useNavigate()
  const all = useMemo(() => data?.items ?? [], [data])
  const groups = [...new Set([...GROUPS, ...all.map((d) => d.group || 'Mine')])].filter((g) => all.some((d) => (d.group || 'Mine') === g))
  const open = all.find((d) => d.id === id) ?? (id === undefined ? all[0] : undefined)
  return (
    <Page
      title="Reports"
      actions={
        <Button variant="default" leftSection={<History size={14} />} component={Link} to="/runs">
          Runs
        </Button>
      }
    >
      {error && <Failure of={error} again={() => void refetch()} />}
      {isPending && <Skeleton height={320} />}
      {data && (
        <div className={classes.split}>
          <nav className={classes.list} aria-label="Reports">
            {groups.map((g) => (
              <section key={g}>
                <h2>{g}</h2>
                <ul>
                  {all
                    .filter((d) => (d.group || 'Mine') === g)
                    .map((d) => (
                      <li key={d.id}>
                        <Link to={`/reports/${d.id}`} data-here={d.id === open?.id || undefined} aria-current={d.id === open?.id ? 'page' : undefined}>
                          {d.title}
                        </Link>
                      </li>
                    ))}
                </ul>
              </section>
            ))}
          </nav>
          <Select
            className={classes.pick}
            aria-label="Report"
            value={open?.id ?? null}
            onChange={(v) => v && void navigate({ to: `/reports/${v}` })}
            data={groups.map((g) => ({ group: g, items: all.filter((d) => (d.group || 'Mine') === g).map((d) => ({ value: d.id, label: d.title })) }))}
          />
          <div className={classes.report}>{open ? <Report key={open.id} definition={open} /> : <Empty title="There is no such report">It may have been deleted. Choose another one.</Empty>}</div>
        </div>
      )}
    </Page>
  )
}

/** The range a report has when none is asked for: `30d`, or everything. */
function standardRange(definition: Definition): Range {
  return /^\d+[smhdw]$/.test(definition.range) ? { from: `now-${definition.range}`, to: 'now' } : { from: '1990-01-01', to: 'now' }
}

function Report({ definition }: { definition: Definition }) {
  const [address, setAddress] = useAddress()
  const navigate = useNavigate()
  const client = useQueryClient()
  const may = useMay()
  const [asking, question] = useAsk()
  const [mailing, mail] = useDisclosure(false)
  const [copying, copy] = useDisclosure(false)
  const usual = standardRange(definition)
  const range = { from: address.from ?? usual.from, to: address.to ?? usual.to }
  const filter = address.filter ?? ''
  const columns = useMemo(() => columnsOf(definition, address.columns), [definition, address.columns])
  const now = useAskedAt(`${range.from}\n${range.to}\n${filter}`)
  const body = useMemo(() => {
    const moments = span({ from: range.from, to: range.to }, now)
    return { from: new Date(moments.from).toISOString(), to: new Date(moments.to).toISOString(), filter, columns }
  }, [range.from, range.to, filter, columns, now])
  const preview = useQuery({
    queryKey: ['report-preview', definition.id, body],
    queryFn: () => answer(http.POST('/api/v1/reports/{id}/preview', { params: { path: { id: definition.id } }, body: { ...body, limit: 50 } })),
    placeholderData: keepPreviousData,
    retry: false,
  })

  const start = async (format: Format, email?: string[]): Promise<void> => {
    try {
      const run = await answer(http.POST('/api/v1/reports/{id}/runs', { params: { path: { id: definition.id } }, body: { ...body, format, ...(email ? { email: { to: email } } : {}) } }))
      await client.invalidateQueries({ queryKey: ask.key('runs') })
      setAddress({ run: run.id })
      mail.close()
    } catch (failure) {
      failed(failure)
    }
  }

  return (
    <>
      {question}
      <header>
        <div className="row wrap">
          <h2 className={classes.title}>{definition.title}</h2>
          {definition.builtin ? <Chip>built in</Chip> : <Chip tone="accent">yours</Chip>}
        </div>
        <p className={classes.proves}>{definition.description}</p>
        {definition.filter && (
          <p className="dim small">
            Looks at <code>{definition.filter}</code>
          </p>
        )}
      </header>
      <div className={classes.parameters}>
        <KqlBar value={filter} onApply={(f) => setAddress({ filter: f })} label="Narrow the report down" placeholder="Narrow it down, for example  user.name: ada" within={{ from: body.from, to: body.to }} />
        <RangePicker value={range} onChange={(r) => setAddress(r)} />
      </div>
      {may('reports:run') && (
        <div className="row wrap">
          <Menu position="bottom-start">
            <Menu.Target>
              <Button size="sm" leftSection={<Play size={14} />} rightSection={<ChevronDown size={14} />}>
                Run
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => void start('pdf')}>PDF, for an auditor</Menu.Item>
              <Menu.Item onClick={() => void start('csv')}>CSV, for a spreadsheet</Menu.Item>
              <Menu.Item onClick={() => void start('json')}>JSON, for a program</Menu.Item>
              <Menu.Item onClick={() => void start('bundle')}>Proof bundle, to verify offline</Menu.Item>
            </Menu.Dropdown>
          </Menu>
          <Popover position="bottom-start" trapFocus>
            <Popover.Target>
              <Button size="sm" variant="default" leftSection={<Columns3 size={14} />}>
                {plural(columns.length, 'column')}
              </Button>
            </Popover.Target>
            <Popover.Dropdown w={340} p={8}>
              <ColumnList
                value={columns.map((c) => c.field)}
                standard={definition.columns.map((c) => c.field)}
                available={available(definition).map((c) => ({ id: c.field, title: c.title }))}
                onChange={(fields) => setAddress({ columns: fields.join(',') === definition.columns.map((c) => c.field).join(',') ? undefined : fields.join(',') })}
              />
            </Popover.Dropdown>
          </Popover>
          <Button size="sm" variant="default" leftSection={<Mail size={14} />} onClick={mail.open}>
            Email…
          </Button>
          {may('reports:write') && (
            <Button size="sm" variant="default" leftSection={<Copy size={14} />} onClick={copy.open}>
              Save a copy…
            </Button>
          )}
          {!definition.builtin && may('reports:write') && (
            <Button
              size="sm"
              variant="default"
              leftSection={<Trash2 size={14} />}
              onClick={() =>
                asking({
                  title: 'Delete this report?',
                  text: 'Its runs and their files stay.',
                  action: 'Delete the report',
                  name: definition.title,
                  run: async () => {
                    await answer(http.DELETE('/api/v1/reports/{id}', { params: { path: { id: definition.id } } }))
                    await client.invalidateQueries({ queryKey: ask.key('reports') })
                    void navigate({ to: '/reports' })
                  },
                })
              }
            >
              Delete
            </Button>
          )}
        </div>
      )}
      {address.run && (
        <Panel title="This run" aside={<Link to={`/runs/${address.run}`}>on a page of its own</Link>}>
          <RunCard id={address.run} />
        </Panel>
      )}
      {preview.error ? (
        <Failure of={preview.error} again={() => void preview.refetch()} />
      ) : (
        <PreviewTable answer={preview.data} pending={preview.isPending} columns={columns} definition={definition} />
      )}
      {mailing && <EmailReport close={mail.close} send={start} />}
      {copying && <SaveCopy close={copy.close} definition={definition} filter={both(definition.filter, filter)} columns={columns} range={/^now-(\d+[smhdw])$/.exec(range.from)?.[1] ?? ''} />}
    </>
  )
}

function available(definition: Definition): Column[] {
  const seen = new Set<string>()
  return [...definition.columns, ...definition.available_columns].filter((c) => !seen.has(c.field) && seen.add(c.field))
}

function columnsOf(definition: Definition, chosen: string | undefined): Column[] {
  if (!chosen) return definition.columns
  const all = available(definition)
  return chosen.split(',').filter(Boolean).map((field) => all.find((c) => c.field === field) ?? { field, title: field })
}

interface PreviewRow {
  key: string
  position: number | undefined
  cells: unknown[]
}

function PreviewTable({ answer, pending, columns, definition }: { answer: ReportPreview | undefined; pending: boolean; columns: Column[]; definition: Definition }) {
  const navigate = useNavigate()
  const shown = answer?.columns ?? columns
  const table: TableColumn<PreviewRow>[] = shown.map((c, i) => ({ id: c.field, title: c.title, width: c.field === 'message' ? 320 : c.field === '@timestamp' ? 150 : 140, grow: i === shown.length - 1, render: (row) => cell(c.field, row.cells[i]) }))
  const rows = (answer?.rows ?? []).map((cells, i) => ({ key: String(answer?.positions[i] ?? i), position: answer?.positions[i], cells }))
  return (
    <section className={classes.preview} aria-label="Preview">
      <div className={classes.caption}>
        {answer ? (
          <>
            <strong>{plural(answer.total, 'row')}</strong>
            <span className="dim">{answer.total > rows.length ? `the first ${count(rows.length)} are shown` : 'all are shown'}</span>
          </>
        ) : (
          <Skeleton height={10} width={120} />
        )}
      </div>
      <div className={classes.table}>
        <DataTable
          name={`report-${definition.id}`}
          columns={table}
          rows={rows}
          rowKey={(r) => r.key}
          onOpen={(r) => r.position !== undefined && void navigate({ to: '/events', search: { open: String(r.position), from: 'now-90d', to: 'now' } as never })}
          loading={pending}
          empty={<Empty title="No row">No event of this range fits. Choose a longer range, or clear the filter.</Empty>}
        />
      </div>
    </section>
  )
}

function cell(field: string, value: unknown): React.ReactNode {
  if (value === null || value === undefined || value === '') return <span className="dim">—</span>
  const text = show(value as Json)
  if (/(^@timestamp$|_at$|event\.ingested)/.test(field) && !Number.isNaN(Date.parse(text))) return <Time at={text} />
  if (field === 'event.severity') return <SeverityMark value={typeof value === 'number' ? value : Number(text) || text} />
  return <span title={text}>{text}</span>
}

function EmailReport({ close, send }: { close: () => void; send: (format: Format, to: string[]) => Promise<void> }) {
  const [to, setTo] = useState<string[]>([])
  const [format, setFormat] = useState<Format>('pdf')
  const [busy, setBusy] = useState(false)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    await send(format, to)
    setBusy(false)
  }
  return (
    <Modal opened onClose={close} title={<strong>Run it and email the result</strong>}>
      <form onSubmit={submit} className="stack">
        <TagsInput label="To" description="Addresses, user:name or role:name. Enter after each." placeholder={to.length === 0 ? 'auditor@example.com' : ''} value={to} onChange={setTo} splitChars={[',', ' ', ';']} acceptValueOnBlur data-autofocus />
        <Select label="Format" value={format} onChange={(v) => setFormat((v ?? 'pdf') as Format)} data={[{ value: 'pdf', label: 'PDF' }, { value: 'csv', label: 'CSV' }, { value: 'json', label: 'JSON' }]} />
        <DialogFoot close={close} action="Run and send" ready={to.length > 0} busy={busy} />
      </form>
    </Modal>
  )
}

function SaveCopy({ close, definition, filter, columns, range }: { close: () => void; definition: Definition; filter: string; columns: Column[]; range: string }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [title, setTitle] = useState(`${definition.title}, my copy`)
  const [description, setDescription] = useState(definition.description)
  const [busy, setBusy] = useState(false)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    try {
      const made = await answer(http.POST('/api/v1/reports', { body: { title: title.trim(), description, group: 'Mine', filter, columns, order: definition.order, range } }))
      await client.invalidateQueries({ queryKey: ask.key('reports') })
      done('Report saved', made.title)
      void navigate({ to: `/reports/${made.id}` })
    } catch (failure) {
      failed(failure)
      setBusy(false)
    }
  }
  return (
    <Modal opened onClose={close} title={<strong>Save a copy</strong>}>
      <form onSubmit={submit} className="stack">
        <TextInput label="Title" value={title} onChange={(e) => setTitle(e.currentTarget.value)} required withAsterisk={false} data-autofocus />
        <Textarea label="What it shows, in one sentence" value={description} onChange={(e) => setDescription(e.currentTarget.value)} autosize minRows={2} />
        <div className="small dim">
          With {plural(columns.length, 'column')}
          {filter && (
            <>
              {' '}
              and the filter <code>{filter}</code>
            </>
          )}
          .
        </div>
        <DialogFoot close={close} action="Save" ready={title.trim() !== ''} busy={busy} />
      </form>
    </Modal>
  )
}
