import { SegmentedControl, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import * as ask from '@/api/queries'
import type { Hit, RelatedGroup } from '@/api/types'
import { plural } from '@/lib/format'
import { at, textAt } from '@/lib/record'
import { DAY, MINUTE, utc } from '@/lib/time'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { SeverityShape } from '@/ui/Severity'
import { Time } from '@/ui/Time'
import { target } from '../eventColumns'
import { useTitles } from '../titles'
import classes from './tabs.module.css'

const WAYS = [
  { by: 'session', title: 'Session', fields: ['session.id'] },
  { by: 'user', title: 'Actor', fields: ['user.name', 'user.id'] },
  { by: 'entity', title: 'Target', fields: ['entity.id', 'entity.name', 'host.name', 'credential.id'] },
  { by: 'operation', title: 'Operation', fields: ['operation.id'] },
  { by: 'request', title: 'Request', fields: ['access.request_id'] },
] as const

/** The events of the same session, actor, target, operation or request, on a small time line. */
export function RelatedTab({ hit, onOpen }: { hit: Hit; onOpen: (position: number) => void }) {
  const ways = WAYS.filter((w) => w.fields.some((f) => textAt(hit.event, f) !== ''))
  const [chosen, setChosen] = useState<string>(ways[0]?.by ?? '')
  const by = ways.some((w) => w.by === chosen) ? chosen : (ways[0]?.by ?? '')
  const { data, error, isPending } = useQuery({ ...ask.related(hit.position, by), enabled: by !== '' })
  if (ways.length === 0) return <Empty title="Nothing to relate it by">This event names no session, actor, target, operation or request.</Empty>
  return (
    <div className="stack">
      <SegmentedControl value={by} onChange={setChosen} data={ways.map((w) => ({ value: w.by, label: w.title }))} style={{ alignSelf: 'flex-start' }} />
      {error && <Failure of={error} />}
      {isPending && <Skeleton height={120} />}
      {data?.groups.length === 0 && <Empty title="Nothing else belongs to it" />}
      {data?.groups.map((g) => (
        <Group key={`${g.by}${g.value}`} group={g} hit={hit} onOpen={onOpen} />
      ))}
    </div>
  )
}

function Group({ group, hit, onOpen }: { group: RelatedGroup; hit: Hit; onOpen: (position: number) => void }) {
  const titles = useTitles()
  const items = [...group.items].sort((a, b) => b.position - a.position)
  const times = items.map((i) => Date.parse(textAt(i.event, '@timestamp'))).filter((t) => !Number.isNaN(t))
  const around = Date.parse(textAt(hit.event, '@timestamp'))
  return (
    <section>
      <div className="row between">
        <span>
          <strong>{group.value}</strong> <span className="dim">· {plural(group.total ?? group.items.length, 'event')}</span>
        </span>
        <Link to="/events" search={{ filter: group.filter, from: new Date(around - DAY).toISOString(), to: new Date(Math.min(around + DAY, Date.now() + MINUTE)).toISOString() } as never}>
          see all
        </Link>
      </div>
      <Line items={items} current={hit.position} from={Math.min(...times)} to={Math.max(...times)} onOpen={onOpen} />
      <ul className={classes.related}>
        {items.map((i) => (
          <li key={i.position}>
            <button type="button" className={`plain ${classes.relatedRow}`} data-current={i.position === hit.position || undefined} onClick={() => onOpen(i.position)}>
              <SeverityShape value={at(i.event, 'event.severity')} />
              <span className={classes.relatedTime}>
                <Time at={textAt(i.event, '@timestamp')} />
              </span>
              <span className="grow clip">
                {titles(textAt(i.event, 'event.action'))} <span className="dim">{target(i.event)}</span>
              </span>
              <span className="dim small">{textAt(i.event, 'user.name') === textAt(hit.event, 'user.name') ? '' : textAt(i.event, 'user.name')}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Line({ items, current, from, to, onOpen }: { items: Hit[]; current: number; from: number; to: number; onOpen: (position: number) => void }) {
  if (!(to > from)) return null
  const x = (event: Hit): number => ((Date.parse(textAt(event.event, '@timestamp')) - from) / (to - from)) * 100
  return (
    <div className={classes.line} role="presentation">
      {items.map((i) => (
        <button key={i.position} type="button" tabIndex={-1} style={{ left: `${x(i)}%` }} data-current={i.position === current || undefined} title={utc(textAt(i.event, '@timestamp'))} onClick={() => onOpen(i.position)}>
          <SeverityShape value={at(i.event, 'event.severity')} size={i.position === current ? 14 : 9} />
        </button>
      ))}
    </div>
  )
}
