import { Skeleton } from '@mantine/core'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import * as ask from '@/api/queries'
import type { Source, SummaryRow } from '@/api/types'
import { RangePicker } from '@/components/RangePicker'
import { rootHex, stateOf } from '@/components/TrailState'
import { barsOf } from '@/components/bars'
import { target } from '@/components/eventColumns'
import { useMay } from '@/components/session'
import { sourceState, sourceTitle } from '@/components/sourceState'
import { useTitles } from '@/components/titles'
import { useQuestion } from '@/components/useQuestion'
import { abbreviate, bytes, change, count } from '@/lib/format'
import { literal } from '@/lib/kql'
import { rangeLabel, widthLabel } from '@/lib/range'
import { at, textAt } from '@/lib/record'
import { SEVERITIES } from '@/lib/severity'
import { DAY } from '@/lib/time'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Histogram } from '@/ui/Histogram'
import { Page } from '@/ui/Page'
import { Fact, Facts, Panel, StateDot } from '@/ui/Panel'
import { SeverityMark, SeverityShape } from '@/ui/Severity'
import { Ago, Time, useNow } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import classes from './Overview.module.css'

const STANDARD_RANGE = { from: 'now-7d', to: 'now' }

export function Overview() {
  const [, setAddress] = useAddress()
  const asked = useQuestion(STANDARD_RANGE)
  const may = useMay()
  if (!may('events:read')) {
    return (
      <Page title="Overview">
        <Empty title="Your notifications are in the inbox" action={<Link to="/inbox">Open the inbox</Link>}>
          Your role sees the notifications of its products. Events and reports are for auditors and administrators.
        </Empty>
      </Page>
    )
  }
  return (
    <Page title="Overview" actions={<RangePicker value={asked.range} onChange={(r) => setAddress(r, { push: true })} />}>
      <Numbers />
      <OverTime asked={asked} />
      <div className={classes.columns}>
        <Top field="user.name" title="Top actors" none="Nobody did anything in these seven days." />
        <Top field="host.name" title="Top targets" none="No host was named in these seven days." />
        <Sources />
        <OpenNotifications />
        <Latest />
        <TrailPanel />
      </div>
    </Page>
  )
}

function Numbers() {
  const may = useMay()
  const unread = useInfiniteQuery(ask.inbox(false))
  const failedDeliveries = useInfiniteQuery({ ...ask.deliveries({ state: 'failed' }), enabled: may('deliveries:read') })
  const sources = useQuery({ ...ask.sources, enabled: may('sources:read') })
  const open = unread.data?.pages.flatMap((p) => p.items).filter((i) => !i.acknowledged_at) ?? []
  const high = open.filter((i) => i.severity > 60)
  const silent = (sources.data?.items ?? []).filter((s) => s.health.state === 'silent')
  const aside = (sources.data?.items ?? []).reduce((n, s) => n + s.set_aside, 0)
  const failedAll = failedDeliveries.data?.pages.flatMap((p) => p.items) ?? []
  return (
    <div className={classes.numbers}>
      <Number to="/inbox" search={{ show: 'open' }} title="High notifications open" value={high.length} more={unread.hasNextPage} pending={unread.isPending} tone={high.length > 0 ? 'bad' : 'ok'} note={`${count(open.length)} open in all`} />
      <Number to="/deliveries" search={{ state: 'failed' }} title="Deliveries failed" value={failedAll.length} more={failedDeliveries.hasNextPage} pending={failedDeliveries.isPending} tone={failedAll.length > 0 ? 'bad' : 'ok'} note={failedAll.length > 0 ? 'can be sent again' : 'nothing to send again'} />
      <Number to="/sources" title="Sources silent" value={silent.length} pending={sources.isPending} tone={silent.length > 0 ? 'warn' : 'ok'} note={silent.length > 0 ? silent.map(sourceTitle).slice(0, 2).join(', ') : 'all that ever spoke speak'} />
      <Number to="/set-aside" title="Records set aside" value={aside} pending={sources.isPending} tone={aside > 0 ? 'warn' : 'ok'} note={aside > 0 ? 'mend the mapping and replay' : 'everything was understood'} />
    </div>
  )
}

function Number(props: { to: string; search?: Record<string, string>; title: string; value: number; more?: boolean; pending: boolean; tone: 'ok' | 'warn' | 'bad'; note: string }) {
  return (
    <Link to={props.to} search={(props.search ?? {}) as never} className={classes.number} data-tone={props.tone}>
      <span className={classes.title}>{props.title}</span>
      {props.pending ? <Skeleton height={28} width={52} my={4} /> : <span className={classes.value}>{count(props.value)}{props.more ? '+' : ''}</span>}
      <span className={`${classes.note} clip`}>{props.pending ? ' ' : props.note}</span>
    </Link>
  )
}

function OverTime({ asked }: { asked: ReturnType<typeof useQuestion> }) {
  const navigate = useNavigate()
  const { data, error, refetch } = useQuery({ ...ask.summary(asked.question, 'event.severity', 'auto', 101), placeholderData: keepPreviousData })
  const { bars, width } = barsOf(data, asked.span)
  const search = { from: asked.range.from, to: asked.range.to }
  return (
    <Panel
      title={data ? `${count(data.total)} events, ${rangeLabel(asked.range).toLowerCase()}` : 'Events'}
      aside={
        <span className={classes.legend}>
          {SEVERITIES.map((s) => (
            <Link key={s} to="/events" search={{ ...search, filter: `event.severity: ${s}` } as never}>
              <SeverityShape value={s} /> {s}
            </Link>
          ))}
          <span className="wide-only">per {widthLabel(width)}</span>
        </span>
      }
    >
      {error ? (
        <Failure of={error} again={() => void refetch()} />
      ) : (
        <Histogram
          bars={bars}
          width={width}
          from={asked.span.from}
          to={asked.span.to}
          height={168}
          label={`Events over time by severity, ${rangeLabel(asked.range)}`}
          onZoom={(from, to) => void navigate({ to: '/events', search: { from: new Date(from).toISOString(), to: new Date(to).toISOString() } as never })}
        />
      )}
    </Panel>
  )
}

/** The most frequent values of a field in the last seven days, and their change against the week before. */
function Top({ field, title, none }: { field: string; title: string; none: string }) {
  const now = useNow(300_000)
  const to = new Date(now - (now % 60_000))
  const week = new Date(to.getTime() - 7 * DAY).toISOString()
  const before = new Date(to.getTime() - 14 * DAY).toISOString()
  const current = useQuery({ ...ask.summary({ filter: '', from: week, to: to.toISOString() }, field, 'week', 8), placeholderData: keepPreviousData })
  const earlier = useQuery({ ...ask.summary({ filter: '', from: before, to: week }, field, 'week', 100), placeholderData: keepPreviousData })
  const rows = (current.data?.rows ?? []).filter((r) => keyOf(r) !== '').slice(0, 8)
  const most = Math.max(1, ...rows.map((r) => r.count))
  return (
    <Panel title={title} aside="7 days, against the week before">
      {current.error && <Failure of={current.error} />}
      {current.isPending && <Lines />}
      {current.data && rows.length === 0 && <p className="dim">{none}</p>}
      <ul className={classes.list}>
        {rows.map((r) => {
          const name = keyOf(r)
          const was = earlier.data?.rows.find((e) => keyOf(e) === name)?.count ?? 0
          const moved = change(r.count, was)
          return (
            <li key={name}>
              <Link to="/events" search={{ filter: `${field}: ${literal(name)}`, from: 'now-7d', to: 'now' } as never} className={classes.actor}>
                <i style={{ width: `${(r.count / most) * 100}%` }} aria-hidden="true" />
                <span className="grow clip">{name}</span>
                <span>{count(r.count)}</span>
                <span className={classes.change} data-direction={moved.direction} title={`${count(was)} in the week before`}>
                  {earlier.data ? moved.text : ''}
                </span>
              </Link>
            </li>
          )
        })}
      </ul>
    </Panel>
  )
}

function keyOf(row: SummaryRow): string {
  return Object.values(row.keys)[0] ?? ''
}

function Sources() {
  const may = useMay()
  const { data, error, isPending } = useQuery({ ...ask.sources, enabled: may('sources:read') })
  const shown = [...(data?.items ?? [])].filter((s) => s.last_seen_at).sort((a: Source, b: Source) => (b.last_seen_at ?? '').localeCompare(a.last_seen_at ?? ''))
  return (
    <Panel title="Sources" aside={<Link to="/sources">All sources</Link>}>
      {error && <Failure of={error} />}
      {isPending && <Lines />}
      {data && shown.length === 0 && <Empty title="Nothing has come in yet" action={<Link to="/sources">Connect a source</Link>} />}
      <ul className={classes.list}>
        {shown.slice(0, 8).map((s) => {
          const state = sourceState(s)
          return (
            <li key={s.name}>
              <Link to={`/sources/${s.name}`} className={classes.line}>
                <span className="grow clip" title={sourceTitle(s)}>
                  <StateDot tone={state.tone}>{sourceTitle(s)}</StateDot>
                </span>
                {s.set_aside > 0 && <span className={classes.aside}>{count(s.set_aside)} set aside</span>}
                <span className="dim">
                  <Ago at={s.last_seen_at} />
                </span>
              </Link>
            </li>
          )
        })}
      </ul>
    </Panel>
  )
}

function OpenNotifications() {
  const { data, error, isPending } = useInfiniteQuery(ask.inbox(false))
  const open = (data?.pages.flatMap((p) => p.items) ?? []).filter((i) => !i.acknowledged_at).slice(0, 8)
  return (
    <Panel title="Open notifications" aside={<Link to="/inbox">Inbox</Link>}>
      {error && <Failure of={error} />}
      {isPending && <Lines />}
      {data && open.length === 0 && <p className="dim">Nothing waits to be acknowledged.</p>}
      <ul className={classes.list}>
        {open.map((i) => (
          <li key={i.id}>
            <Link to="/inbox" search={{ open: i.id } as never} className={classes.line}>
              <SeverityShape value={i.severity} />
              <span className="grow clip" style={{ fontWeight: i.read_at ? undefined : 600 }}>
                {i.subject}
              </span>
              <span className="dim">
                <Ago at={i.at} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function Latest() {
  const titles = useTitles()
  const { data, error, isPending } = useQuery({ ...ask.latest({ filter: 'event.severity >= medium' }, 8), refetchInterval: 15_000 })
  return (
    <Panel title="Latest, medium and above" aside={<Link to="/events">Events</Link>}>
      {error && <Failure of={error} />}
      {isPending && <Lines />}
      {data?.items.length === 0 && <p className="dim">Nothing of medium severity or above yet.</p>}
      <ul className={classes.list}>
        {data?.items.map((h) => (
          <li key={h.position}>
            <Link to="/events" search={{ open: String(h.position), filter: 'event.severity >= medium' } as never} className={classes.line}>
              <SeverityMark value={at(h.event, 'event.severity')} word={false} />
              <span className="grow clip">
                {titles(textAt(h.event, 'event.action'))} <span className="dim">{[textAt(h.event, 'user.name'), target(h.event)].filter(Boolean).join(' · ')}</span>
              </span>
              <span className="dim">
                <Time at={textAt(h.event, '@timestamp')} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function TrailPanel() {
  const may = useMay()
  const { data, error } = useQuery({ ...ask.trail, enabled: may('trail:read') })
  return (
    <Panel title="Trail" aside={<Link to="/trail">Verify</Link>}>
      {error && <Failure of={error} />}
      {!data && !error && <Lines />}
      {data && (
        <Facts>
          <Fact name="State">
            <StateDot tone={stateOf(data).tone}>{stateOf(data).words}</StateDot>
          </Fact>
          <Fact name="Last self-check">
            <Ago at={data.self_check.at} />
          </Fact>
          <Fact name="Events">{count(data.size)}</Fact>
          <Fact name="Sealed">
            <Ago at={data.checkpoint.at} />
          </Fact>
          <Fact name="Root">
            <code>{abbreviate(rootHex(data.checkpoint.root), 8)}</code>
          </Fact>
          <Fact name="On disk">{bytes(data.bytes)}</Fact>
        </Facts>
      )}
    </Panel>
  )
}

function Lines() {
  return (
    <>
      {[70, 85, 55, 75, 60].map((w) => (
        <Skeleton key={w} height={10} width={`${w}%`} my={10} />
      ))}
    </>
  )
}
