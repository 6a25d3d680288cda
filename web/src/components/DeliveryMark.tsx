import type { Attempt, DeliveryState } from '@/api/types'
import { duration, utc } from '@/lib/time'
import { StateDot } from '@/ui/Panel'
import classes from './DeliveryMark.module.css'

const TONES = { delivered: 'ok', failed: 'bad', waiting: 'warn', sending: 'busy' } as const

export function DeliveryMark({ state }: { state: DeliveryState }) {
  return <StateDot tone={TONES[state] ?? 'idle'}>{state}</StateDot>
}

/** Good, to be tried again, or refused: what an attempt came to. */
export function outcomeOf(attempt: Pick<Attempt, 'outcome'>): 'ok' | 'temporary' | 'permanent' {
  if (/^(ok|delivered|success)/i.test(attempt.outcome)) return 'ok'
  return /perm|refus|fail/i.test(attempt.outcome) ? 'permanent' : 'temporary'
}

/** Attempts as dots: filled for delivered, a ring for "again later", a square for refused. */
export function AttemptDots({ attempts, state }: { attempts: number | Attempt[]; state: DeliveryState }) {
  const all = typeof attempts === 'number' ? guess(attempts, state) : attempts.map((a) => ({ kind: outcomeOf(a), title: `${utc(a.at)} · ${a.answer ?? a.outcome} · ${duration(a.duration_ms)}` }))
  const words = `${all.length} ${all.length === 1 ? 'attempt' : 'attempts'}, ${state}`
  return (
    <span className={classes.dots} role="img" aria-label={words} title={words}>
      {all.slice(-10).map((a, i) => (
        <i key={i} data-kind={a.kind} title={a.title} />
      ))}
      {all.length > 1 && <span className="dim small">{all.length}</span>}
    </span>
  )
}

// A list only tells how many there were: all but the last failed for a while, the last one is what the delivery came to.
function guess(attempts: number, state: DeliveryState): Array<{ kind: 'ok' | 'temporary' | 'permanent'; title?: string }> {
  return Array.from({ length: attempts }, (_, i) => {
    const last = i === attempts - 1
    return { kind: last && state === 'delivered' ? 'ok' : last && state === 'failed' ? 'permanent' : 'temporary' }
  })
}
