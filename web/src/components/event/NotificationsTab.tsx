import { Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import * as ask from '@/api/queries'
import { plural } from '@/lib/format'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Chip } from '@/ui/Panel'
import { Time } from '@/ui/Time'
import { DeliveryMark } from '../DeliveryMark'
import classes from './tabs.module.css'

/** What the event caused: to whom, when; or why nothing was sent. */
export function NotificationsTab({ position }: { position: number }) {
  const { data, error, isPending } = useQuery(ask.eventNotifications(position))
  if (isPending) return <Skeleton height={120} />
  if (error) return <Failure of={error} />
  if (data.deliveries.length === 0 && data.decisions.length === 0) {
    return (
      <Empty title="No rule spoke of this event" action={<Link to="/rules">See the rules</Link>}>
        No rule that was switched on when it came in has a filter that fits.
      </Empty>
    )
  }
  return (
    <div className="stack">
      {data.deliveries.map((d) => (
        <Link key={d.id} to="/deliveries" search={{ open: d.id } as never} className={classes.card}>
          <div className="row between">
            <strong className="clip">{d.subject}</strong>
            <DeliveryMark state={d.state} />
          </div>
          <div className="dim small">
            {d.rule_name ?? 'sent by hand'} → {d.channel_name} → {d.recipient} · <Time at={d.created_at} /> · {plural(d.attempts, 'attempt')}
            {d.last_answer ? ` · ${d.last_answer}` : ''}
          </div>
        </Link>
      ))}
      {data.decisions.length > 0 && (
        <section>
          <h3 className={classes.heading}>What each rule decided</h3>
          <ul className={classes.decisions}>
            {data.decisions.map((d, i) => (
              <li key={i}>
                <Link to={`/rules/${d.rule_id}`}>{d.rule_name}</Link>
                <Chip tone={d.verdict === 'send' || d.verdict === 'sent' ? 'ok' : 'plain'}>{d.verdict.replace(/_/g, ' ')}</Chip>
                <span className="dim">{d.why}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}
