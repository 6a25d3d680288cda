import { Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import * as ask from '@/api/queries'
import type { Source, SourceHealthDetail } from '@/api/types'
import { rateWords, skewWords } from '@/components/sourceState'
import { count, plural } from '@/lib/format'
import { HOUR, MINUTE, duration } from '@/lib/time'
import { Bars } from '@/ui/Bars'
import { Failure } from '@/ui/Failure'
import { Fact, Facts, Panel } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import classes from './Source.module.css'

/** How a source is: its figures, the last two weeks hour by hour, who sends. */
export function Health({ source }: { source: Source }) {
  const { data, error, refetch } = useQuery(ask.sourceHealth(source.name))
  if (error) return <Failure of={error} again={() => void refetch()} />
  if (!data) return <Skeleton height={320} />
  const { health } = data
  return (
    <div className="stack" style={{ gap: 16 }}>
      <Panel title="The last 14 days" aside={data.usual_hours ? 'the dashed line is what is usual' : 'what is usual is known after a week'}>
        <Bars bars={hours(data)} barMs={HOUR} words={{ events: 'events', bad: 'set aside' }} />
      </Panel>
      <div className={classes.columns}>
        <Panel title="At this moment">
          <Facts>
            <Fact name="State">{health.reason || '—'}</Fact>
            <Fact name="Last seen">
              <Ago at={health.last_seen_at} />
            </Fact>
            <Fact name="First seen">
              <Ago at={health.first_seen_at} />
            </Fact>
            <Fact name="Rate">
              {rateWords(health.rate_per_minute)} a minute
              {health.usual_rate_per_minute != null && <span className="dim">, usual at this hour: {rateWords(health.usual_rate_per_minute)}</span>}
            </Fact>
            <Fact name="Lag">{health.lag_ms ? `${duration(health.lag_ms.p50)}; 5 % took longer than ${duration(health.lag_ms.p95)}` : <span className="dim">not known yet</span>}</Fact>
            <Fact name="Clock">{health.clock_skew_ms == null ? <span className="dim">nothing plain</span> : skewWords(health.clock_skew_ms)}</Fact>
            <Fact name="Set aside, 24 h">
              {health.rejected.records === 0 ? (
                'none'
              ) : (
                <Link to={`/sources/${source.name}`} {...({ search: { tab: 'set-aside' } } as object)}>
                  {plural(health.rejected.records, 'record')}, {(health.rejected.share * 100).toFixed(health.rejected.share < 0.01 ? 2 : 1)} %
                </Link>
              )}
            </Fact>
            <Fact name="Silence">
              {health.silence.mode === 'off' ? 'may be silent as long as it likes' : health.silence.after_seconds == null ? 'its rhythm is being learned' : `is noticed after ${duration(health.silence.after_seconds * 1_000)}${health.silence.mode === 'set' ? ', as set' : ', from its own rhythm'}`}
            </Fact>
            <Fact name="Sequences">
              {data.streams === 0 ? <span className="dim">its records are not numbered</span> : `${plural(data.streams, 'sequence')} followed`}
              {data.duplicates > 0 && `, ${plural(data.duplicates, 'number')} came twice`}
            </Fact>
            <Fact name="Events">{count(data.events_total)}</Fact>
          </Facts>
        </Panel>
        <Panel title="The last hour">
          <Bars bars={data.minutes.map((m) => ({ from: Date.parse(m.from), events: m.events, bad: 0 }))} barMs={MINUTE} words={{ events: 'events', bad: 'set aside' }} height={108} />
        </Panel>
      </div>
      {data.host_list.length > 0 && <Who title="Hosts" list={data.host_list} />}
      {data.device_list.length > 0 && <Who title="Enrolled devices" list={data.device_list} />}
    </div>
  )
}

function hours(data: SourceHealthDetail): Array<{ from: number; events: number; bad: number; usual?: number }> {
  return data.hours.map((h) => {
    const from = Date.parse(h.from)
    const at = new Date(from)
    const usual = data.usual_hours?.[((at.getUTCDay() + 6) % 7) * 24 + at.getUTCHours()]
    return { from, events: h.events, bad: h.rejected, usual }
  })
}

function Who({ title, list }: { title: string; list: SourceHealthDetail['host_list'] }) {
  return (
    <Panel title={title} aside={list.length >= 100 ? 'the 100 heard of last' : undefined} flush>
      <div className={classes.scroll} tabIndex={0} role="region" aria-label={title}>
        <table className={classes.table}>
          <thead>
            <tr>
              <th>Name</th>
              <th>Last seen</th>
              <th className="number">Events</th>
              <th>Clock</th>
            </tr>
          </thead>
          <tbody>
            {list.map((h) => (
              <tr key={h.name}>
                <td>{h.name}</td>
                <td>
                  <Ago at={h.last_seen_at} />
                </td>
                <td className="number">{count(h.events)}</td>
                <td>{h.clock_skew_ms == null ? <span className="dim">—</span> : skewWords(h.clock_skew_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}
