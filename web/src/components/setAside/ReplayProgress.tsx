import { Button, Progress } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { ReplayJob } from '@/api/types'
import { count, plural } from '@/lib/format'
import { Failure } from '@/ui/Failure'
import { Panel, StateDot } from '@/ui/Panel'
import { failed } from '@/ui/toast'
import classes from './ReplayProgress.module.css'

const STATES = {
  running: { tone: 'busy', words: 'running' },
  done: { tone: 'ok', words: 'done' },
  cancelled: { tone: 'warn', words: 'stopped' },
  failed: { tone: 'bad', words: 'could not go on' },
} as const

/** How far a replay is, what became of its records, and what is still not understood. */
export function ReplayProgress({ id, close, ended }: { id: string; close: () => void; ended: () => void }) {
  const { data: job, error } = useQuery(ask.replay(id))
  const told = useRef(false)
  const state = job?.state
  useEffect(() => {
    if (!state || state === 'running' || told.current) return
    told.current = true
    ended()
  }, [state, ended])
  if (error)
    return (
      <Panel title="Replay" aside={<Button variant="default" onClick={close}>Close</Button>}>
        <Failure of={error} />
      </Panel>
    )
  if (!job) return null
  const stop = async (): Promise<void> => {
    try {
      await answer(http.DELETE('/api/v1/set-aside/replays/{id}', { params: { path: { id } } }))
    } catch (failure) {
      failed(failure)
    }
  }
  const { tone, words } = STATES[job.state]
  return (
    <Panel
      title={`Replay of ${job.what.startsWith('group') ? 'a group' : job.what}`}
      aside={
        <>
          <StateDot tone={tone}>{words}</StateDot>
          {job.state === 'running' ? (
            <Button variant="default" onClick={() => void stop()}>
              Stop
            </Button>
          ) : (
            <Button variant="default" onClick={close}>
              Close
            </Button>
          )}
        </>
      }
    >
      <div className="stack" aria-live="polite">
        <Progress.Root size={10} aria-label="Progress of the replay">
          <Progress.Section value={(job.replayed / job.total) * 100} color="green.7" aria-label="Became events" />
          <Progress.Section value={(job.left_out / job.total) * 100} color="gray.5" aria-label="Left out by the mapping" />
          <Progress.Section value={(job.still_set_aside / job.total) * 100} color="red.6" aria-label="Still not understood" />
        </Progress.Root>
        <div className={classes.counts}>
          <span>
            <strong>{count(job.done)}</strong> of {plural(job.total, 'record')}
          </span>
          <span>
            <strong>{count(job.replayed)}</strong> became events
          </span>
          {job.left_out > 0 && (
            <span>
              <strong>{count(job.left_out)}</strong> left out by the mapping
            </span>
          )}
          <span data-bad={job.still_set_aside > 0 || undefined}>
            <strong>{count(job.still_set_aside)}</strong> still not understood
          </span>
        </div>
        {job.error && <div>{job.error}. What was replayed until then stays; replay the rest again.</div>}
        {job.reasons.length > 0 && (
          <ul className={classes.reasons} aria-label="Why records are still not understood">
            {job.reasons.map((r) => (
              <li key={r.kind}>
                <strong>{count(r.records)}</strong>
                <span title={r.reason}>{r.reason}</span>
              </li>
            ))}
          </ul>
        )}
        {job.state !== 'running' && <Each job={job} />}
      </div>
    </Panel>
  )
}

/** What became of each of the first records. */
function Each({ job }: { job: ReplayJob }) {
  const [shown, setShown] = useState(20)
  if (job.records.length === 0) return null
  return (
    <details className={classes.each}>
      <summary>What became of each{job.done > job.records.length ? `, the first ${count(job.records.length)}` : ''}</summary>
      <table>
        <tbody>
          {job.records.slice(0, shown).map((r) => (
            <tr key={r.id}>
              <td>
                <span className="dim">record</span> {r.id}
              </td>
              <td>
                {r.became === 'events' && r.position != null ? (
                  <>
                    became <Link to="/events" {...({ search: { open: String(r.position), from: 'now-3650d', to: 'now' } } as object)}>event {count(r.position)}</Link>
                  </>
                ) : r.became === 'left_out' ? (
                  'left out by the mapping'
                ) : (
                  <span className={classes.bad}>{r.reason}</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {job.records.length > shown && (
        <Button variant="default" size="compact-xs" onClick={() => setShown(shown + 100)}>
          More
        </Button>
      )}
    </details>
  )
}
