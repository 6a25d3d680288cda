import { at, textAt, type EventRecord } from '@/lib/record'
import type { Hit } from '@/api/types'
import type { TableColumn } from '@/ui/DataTable'
import { SeverityMark } from '@/ui/Severity'
import { Time } from '@/ui/Time'
import classes from './eventColumns.module.css'

/** A row of the list: one event, or equal neighbours folded into the newest of them. */
export interface EventRow {
  hit: Hit
  folded: Hit[]
}

export const STANDARD_COLUMNS = ['@timestamp', 'event.severity', 'user.name', 'event.action', 'target', 'origin', 'event.outcome', 'event.module']

const TITLES: Record<string, string> = {
  '@timestamp': 'Time',
  'event.severity': 'Severity',
  'user.name': 'Actor',
  'event.action': 'Action',
  target: 'Target',
  origin: 'Origin',
  'event.outcome': 'Outcome',
  'event.module': 'Source',
  message: 'Message',
}

const WIDTHS: Record<string, number> = { '@timestamp': 148, 'event.severity': 92, 'user.name': 150, 'event.action': 230, target: 180, origin: 150, 'event.outcome': 92, 'event.module': 96, message: 360 }

/** What was acted on: the host, the object, the credential, the other user. */
export function target(event: EventRecord): string {
  const host = textAt(event, 'host.name')
  const credential = textAt(event, 'credential.username')
  if (credential && host) return `${credential}@${host}`
  return [textAt(event, 'entity.name'), host, credential, textAt(event, 'user.target.name'), textAt(event, 'certificate.subject'), textAt(event, 'entity.id')].find((t) => t !== '') ?? ''
}

export function columnTitle(id: string, fieldTitle: (field: string) => string | undefined): string {
  return TITLES[id] ?? fieldTitle(id) ?? id
}

interface Options {
  titles: (type: string) => string
  fieldTitle: (field: string) => string | undefined
  unfold: (row: EventRow) => void
}

export function eventColumn(id: string, options: Options): TableColumn<EventRow> {
  return {
    id,
    title: columnTitle(id, options.fieldTitle),
    width: WIDTHS[id] ?? 160,
    grow: id === 'event.action' || id === 'target' || id === 'message',
    sort: id === '@timestamp',
    render: (row) => cell(id, row, options),
  }
}

function cell(id: string, row: EventRow, { titles, unfold }: Options): React.ReactNode {
  const event = row.hit.event
  if (id === '@timestamp') return <Time at={textAt(event, '@timestamp')} />
  if (id === 'event.severity') return <SeverityMark value={at(event, 'event.severity')} />
  if (id === 'event.action') {
    const action = textAt(event, 'event.action')
    return (
      <span title={action}>
        {titles(action)}
        {row.folded.length > 0 && (
          <button
            type="button"
            className={classes.fold}
            title="Equal neighbours, folded. Click to unfold."
            onClick={(e) => {
              e.stopPropagation()
              unfold(row)
            }}
          >
            ×{row.folded.length + 1}
          </button>
        )}
      </span>
    )
  }
  if (id === 'event.outcome') {
    const outcome = textAt(event, 'event.outcome')
    return <span className={outcome === 'failure' ? classes.failure : 'dim'}>{outcome === 'failure' ? '✕ failure' : outcome}</span>
  }
  if (id === 'target') return target(event) || <span className="dim">—</span>
  if (id === 'origin') {
    const ip = textAt(event, 'source.ip')
    const country = textAt(event, 'source.geo.country_iso_code')
    return ip ? (
      <>
        <span className="mono">{ip}</span> <span className="dim">{country}</span>
      </>
    ) : (
      <span className="dim">—</span>
    )
  }
  const text = textAt(event, id)
  if (text === '') return <span className="dim">—</span>
  return /(\.|^)(ip|id|serial|command_line|original)$/.test(id) ? <span className="mono">{text}</span> : <span title={text}>{text}</span>
}

const SAME = ['event.action', 'event.outcome', 'user.name', 'host.name', 'entity.id', 'source.ip', 'credential.id']

/** Folds neighbours that differ only in their time, but for those of which one was unfolded. */
export function fold(hits: Hit[], unfolded: ReadonlySet<number>): EventRow[] {
  const runs: Hit[][] = []
  let before = ''
  for (const hit of hits) {
    const same = SAME.map((f) => textAt(hit.event, f)).join('\u0000')
    const run = runs.at(-1)
    if (run && same === before) run.push(hit)
    else runs.push([hit])
    before = same
  }
  return runs.flatMap((run) => {
    const [hit, ...folded] = run
    if (!hit) return []
    return run.some((h) => unfolded.has(h.position)) ? run.map((h) => ({ hit: h, folded: [] })) : [{ hit, folded }]
  })
}
