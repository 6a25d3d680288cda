import { useQuery } from '@tanstack/react-query'
import * as ask from '@/api/queries'
import { leaves, show, textAt, type EventRecord, type Json } from '@/lib/record'
import { utc } from '@/lib/time'
import { severityOf } from '@/lib/severity'
import { Time } from '@/ui/Time'
import classes from './tabs.module.css'

// The questions an event answers, and the fields that answer them.
const GROUPS: ReadonlyArray<{ title: string; roots: string[] }> = [
  { title: 'Who', roots: ['user.'] },
  { title: 'From where', roots: ['source.', 'user_agent.', 'client.'] },
  { title: 'On what', roots: ['host.', 'entity.', 'credential.', 'certificate.', 'product.', 'destination.', 'file.', 'service.'] },
  { title: 'What', roots: ['event.action', 'event.category', 'event.type', 'process.', 'operation.', 'session.', 'event.duration'] },
  { title: 'Why', roots: ['justification.', 'access.', 'event.reason'] },
  { title: 'Outcome', roots: ['event.outcome', 'event.severity', 'error.', 'rule.'] },
  { title: 'Where it came from', roots: ['event.module', 'event.provider', 'event.mapping', 'event.id', 'event.ingested', 'event.dataset', 'observer.', 'log.'] },
]

const ELSEWHERE = ['event.original', 'message', 'changes', '@timestamp']

/** What happened as a sentence, then its fields by the question they answer. A value is a filter. */
export function SummaryTab({ event, onValue }: { event: EventRecord; onValue: (field: string, value: string, without: boolean) => void }) {
  const known = useQuery(ask.fields)
  const titleOf = (name: string): string => known.data?.find((f) => f.name === name)?.title ?? name
  const all = leaves(event).filter((l) => !ELSEWHERE.includes(l.name) && show(l.value) !== '')
  const groupOf = (name: string): string => GROUPS.find((g) => g.roots.some((r) => (r.endsWith('.') ? name.startsWith(r) : name === r || name.startsWith(`${r}.`))))?.title ?? 'Other'
  const titles = [...GROUPS.map((g) => g.title), 'Other']
  return (
    <>
      <p className={classes.sentence}>{textAt(event, 'message')}</p>
      {titles.map((title) => {
        const shown = all.filter((l) => groupOf(l.name) === title)
        if (shown.length === 0) return null
        return (
          <section key={title} className={classes.group}>
            <h3>{title}</h3>
            <dl>
              {shown.map((l) => (
                <div key={l.name} className={classes.field}>
                  <dt title={l.name}>{titleOf(l.name)}</dt>
                  <dd>
                    <Value name={l.name} value={l.value} onValue={onValue} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        )
      })}
      <p className="dim small">Click a value to search for it, alt-click to leave it out.</p>
    </>
  )
}

/** A value that is a filter: a click searches for it, an alt-click leaves it out. */
export function Value({ name, value, onValue }: { name: string; value: Json; onValue: (field: string, value: string, without: boolean) => void }) {
  if (Array.isArray(value)) {
    return (
      <span className="row wrap" style={{ gap: 6 }}>
        {value.map((v, i) => (
          <Value key={i} name={name} value={v} onValue={onValue} />
        ))}
      </span>
    )
  }
  const text = show(value)
  const mono = /(^|\.)(ip|id|serial|command_line|request_id)$/.test(name)
  return (
    <>
      <button
        type="button"
        className={`plain ${classes.value} ${mono ? 'mono' : ''}`}
        title={`${name}: ${text}\nClick: search for it. Alt-click: leave it out.`}
        onClick={(e) => onValue(name, text, e.altKey)}
      >
        {text}
      </button>
      {name === 'event.severity' && <span className="dim"> {severityOf(value)}</span>}
      {name === 'event.ingested' && (
        <span className="dim">
          {' '}
          <Time at={text} />
        </span>
      )}
      {name.endsWith('_at') && typeof value === 'string' && <span className="dim"> {utc(value)}</span>}
    </>
  )
}
