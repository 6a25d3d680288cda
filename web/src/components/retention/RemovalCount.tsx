import { Button, Progress } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Removal } from '@/api/types'
import { bytes, count, plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { StateDot } from '@/ui/Panel'
import classes from './retention.module.css'

const TONES = { counting: 'busy', ready: 'warn', running: 'busy', done: 'ok', cancelled: 'idle', failed: 'bad' } as const
const WORDS = { counting: 'being counted', ready: 'waits for a yes', running: 'being removed', done: 'done', cancelled: 'called off', failed: 'failed' } as const

export function RemovalStateDot({ removal }: { removal: Removal }) {
  return <StateDot tone={TONES[removal.state]}>{WORDS[removal.state]}</StateDot>
}

/** What a removal is about, how far it is, and what stays. */
export function RemovalCount({ removal, writable }: { removal: Removal; writable: boolean }) {
  const client = useQueryClient()
  const [asking, question] = useAsk()
  const fresh = async (): Promise<void> => {
    await Promise.all([client.invalidateQueries({ queryKey: ask.key('removals') }), client.invalidateQueries({ queryKey: ask.key('erasures') })])
  }
  const working = removal.state === 'counting' || removal.state === 'running'
  const whole = removal.state === 'counting' ? removal.size : removal.events
  const post = (what: 'cancel' | 'resume') => async (): Promise<void> => {
    await answer(http.POST(`/api/v1/removals/{id}/${what}`, { params: { path: { id: removal.id } } }))
    await fresh()
  }
  return (
    <div>
      {question}
      {working && (
        <div className="stack" style={{ gap: 8, marginBottom: 12 }}>
          <Progress value={whole > 0 ? (removal.done / whole) * 100 : 0} animated aria-label={removal.state === 'counting' ? 'Progress of the count' : 'Progress of the removal'} />
          <div className="row">
            <span className="dim grow">
              {removal.state === 'counting' ? `${count(removal.done)} of ${plural(removal.size, 'event')} looked at` : `${count(removal.removed)} of ${plural(removal.events, 'event')} removed`}
            </span>
            {writable && (
              <Button
                variant="default"
                onClick={() =>
                  removal.state === 'counting'
                    ? void post('cancel')()
                    : asking({ title: 'Call this removal off?', text: 'It stops after the step it is at. What was removed until then stays removed.', action: 'Call it off', run: post('cancel') })
                }
              >
                Cancel
              </Button>
            )}
          </div>
        </div>
      )}
      {removal.state === 'failed' && (
        <div className="row wrap" style={{ marginBottom: 12 }} role="alert">
          <span className="grow" style={{ color: 'var(--bad)' }}>
            It stopped after {plural(removal.removed, 'event')}: {removal.error}. Nothing is lost; it goes on where it stood.
          </span>
          {writable && (
            <Button variant="default" onClick={() => asking({ title: 'Resume this removal?', text: `${plural(removal.events - removal.removed, 'event')} are left of it.`, action: 'Resume', run: post('resume') })}>
              Resume
            </Button>
          )}
        </div>
      )}
      <dl className={classes.facts}>
        <div>
          <dt>{removal.state === 'done' ? 'Removed' : 'Would go'}</dt>
          <dd>{plural(removal.state === 'done' ? removal.removed : removal.events, 'event')}</dd>
        </div>
        <div>
          <dt>Bytes</dt>
          <dd>{bytes(removal.bytes)}</dd>
        </div>
        {removal.first_position !== null && removal.first_position !== undefined && (
          <div>
            <dt>Positions</dt>
            <dd>
              {count(removal.first_position)} – {count(removal.last_position ?? removal.first_position)}
            </dd>
          </div>
        )}
      </dl>
      {removal.categories.length > 0 && (
        <div className={classes.scroll}>
          <table className={classes.table} aria-label="Events by category">
            <thead>
              <tr>
                <th>Category</th>
                <th className={classes.number}>Events</th>
              </tr>
            </thead>
            <tbody>
              {removal.categories.map((c) => (
                <tr key={c.category}>
                  <td>{c.category || <span className="dim">none</span>}</td>
                  <td className={classes.number}>{count(c.events)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {removal.held.map((h) => (
        <p key={h.hold} className={classes.note}>
          {plural(h.events, 'event')} kept by the legal hold{' '}
          <Link to="/retention" search={{ tab: 'holds', open: h.hold } as never}>
            {h.name}
          </Link>
          .
        </p>
      ))}
      {removal.protected > 0 && <p className={classes.note}>{plural(removal.protected, 'record')} of the trail's own keeping stay: they prove what was removed, and why.</p>}
      {removal.event_position !== null && removal.event_position !== undefined && (
        <p className={classes.note}>
          <Link to="/events" search={{ open: String(removal.event_position) } as never}>
            The event at position {count(removal.event_position)}
          </Link>{' '}
          tells of it.
        </p>
      )}
    </div>
  )
}
