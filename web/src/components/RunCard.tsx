import { Button, Progress } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Download, ShieldCheck } from 'lucide-react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Run } from '@/api/types'
import { abbreviate, bytes, count } from '@/lib/format'
import { utc } from '@/lib/time'
import { Command, CopyText } from '@/ui/Copy'
import { Failure } from '@/ui/Failure'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { Time } from '@/ui/Time'
import { failed } from '@/ui/toast'
import classes from './RunCard.module.css'
import { rootHex } from './TrailState'

const TONES = { running: 'busy', done: 'ok', failed: 'bad', cancelled: 'idle' } as const
export const FORMATS: Record<string, string> = { pdf: 'PDF', csv: 'CSV', json: 'JSON', bundle: 'Proof bundle' }

export function RunState({ run }: { run: Run }) {
  return <StateDot tone={TONES[run.state]}>{run.state}</StateDot>
}

/** One run: its progress while it runs, then the file and its certificate. */
export function RunCard({ id }: { id: string }) {
  const { data, error, refetch } = useQuery(ask.run(id))
  const client = useQueryClient()
  if (error) return <Failure of={error} again={() => void refetch()} />
  if (!data) return null
  const cancel = async (): Promise<void> => {
    try {
      await answer(http.DELETE('/api/v1/report-runs/{id}', { params: { path: { id } } }))
    } catch (failure) {
      failed(failure)
    }
    await client.invalidateQueries({ queryKey: ask.key('runs') })
  }
  const part = data.rows_total ? Math.min(100, (data.rows / data.rows_total) * 100) : 0
  return (
    <div className={classes.card}>
      <div className="row wrap">
        <strong>{data.title}</strong>
        <span className="dim">{FORMATS[data.format] ?? data.format}</span>
        <RunState run={data} />
        <span className="grow" />
        {data.state === 'running' && (
          <Button variant="default" onClick={() => void cancel()}>
            Cancel
          </Button>
        )}
        {data.download && data.state === 'done' && (
          <Button component="a" href={data.download} download leftSection={<Download size={14} />}>
            Download {FORMATS[data.format] ?? data.format}
            {data.size_bytes != null && `, ${bytes(data.size_bytes)}`}
          </Button>
        )}
      </div>
      {data.state === 'running' && (
        <div>
          <Progress value={part} animated aria-label="Progress" />
          <div className="dim small">
            {count(data.rows)} {data.rows_total == null ? 'rows written' : `of ${count(data.rows_total)} rows written`}
          </div>
        </div>
      )}
      {data.error && <p className={classes.error}>{data.error}</p>}
      {data.email_error && <p className={classes.error}>It could not be mailed: {data.email_error}</p>}
      {(data.emailed_to ?? []).length > 0 && !data.email_error && <p className="dim small">Mailed to {data.emailed_to?.join(', ')}</p>}
      {data.state === 'done' && <CertificateOf run={data} />}
    </div>
  )
}

function CertificateOf({ run }: { run: Run }) {
  return (
    <section className={classes.certificate}>
      <h3>
        <ShieldCheck size={16} /> Certificate
      </h3>
      <Facts>
        <Fact name="Taken by">
          {run.by}, <Time at={run.at} /> <span className="dim">{utc(run.at)}</span>
        </Fact>
        <Fact name="Filter">{run.filter ? <code>{run.filter}</code> : <span className="dim">none, every event</span>}</Fact>
        <Fact name="Range">
          {run.from ? utc(run.from) : 'from the first event'} – {run.to ? utc(run.to) : 'to the last'}
        </Fact>
        <Fact name="Rows">{count(run.rows)}</Fact>
        {run.first_position != null && run.last_position != null && (
          <Fact name="Positions">
            {count(Math.min(run.first_position, run.last_position))} to {count(Math.max(run.first_position, run.last_position))}
          </Fact>
        )}
        {run.checkpoint && (
          <Fact name="Checkpoint">
            {count(run.checkpoint.size)} events, root <CopyText value={rootHex(run.checkpoint.root)} shown={abbreviate(rootHex(run.checkpoint.root), 10)} label="root hash" />
          </Fact>
        )}
        {run.sha256 && (
          <Fact name="SHA-256 of the file">
            <CopyText value={run.sha256} shown={abbreviate(run.sha256, 14)} label="hash of the file" />
          </Fact>
        )}
        {run.expires_at && (
          <Fact name="File is kept until">
            <Time at={run.expires_at} style="moment" />
          </Fact>
        )}
      </Facts>
      <details>
        <summary>How to verify it</summary>
        <p className="small">
          The SHA-256 of the file must be the one above; the same one stands in the trail, in the event <code>audit.exported</code> of this run. The checkpoint inside the file is signed by the trail; each event of it can be proven with the proof bundle.
        </p>
        <Command>{run.format === 'bundle' ? 'belfry verify --bundle FILE --vkey KEY' : 'sha256sum FILE'}</Command>
        {run.certificate && (
          <a href={run.certificate} download className="small">
            Download the certificate as a file
          </a>
        )}
      </details>
    </section>
  )
}
