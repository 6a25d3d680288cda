import { Button, Select } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import type { DryRun as Result } from '@/api/types'
import { count, plural } from '@/lib/format'
import { Failure } from '@/ui/Failure'
import classes from './DryRun.module.css'

const ALL = ''

/** What the draft would have made of the newest events of the sources that this mapping reads. */
export function DryRun({ name, program, sources }: { name: string; program: string; sources: string[] }) {
  const [source, setSource] = useState(ALL)
  const [result, setResult] = useState<{ program: string; found: Result } | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const run = async (): Promise<void> => {
    setBusy(true)
    setFailure(null)
    try {
      const found = await answer(http.POST('/api/v1/mappings/{name}/dry-run', { params: { path: { name } }, body: { program, source: source === ALL ? undefined : source } }))
      setResult({ program, found })
    } catch (cause) {
      setFailure(cause)
    }
    setBusy(false)
  }
  if (sources.length === 0) return <p className="dim">No source is read by this mapping yet, so there is nothing to hold it against.</p>
  return (
    <div className="stack">
      <p className="dim">Reads the newest events of the source again, from the records they came from, and says what the draft would have made of them. Nothing is stored.</p>
      <div className="row wrap">
        {sources.length > 1 && <Select size="xs" aria-label="Source" value={source} onChange={(v) => setSource(v ?? ALL)} data={[{ value: ALL, label: 'all its sources' }, ...sources.map((s) => ({ value: s, label: s }))]} />}
        <Button loading={busy} onClick={() => void run()}>
          Read the last 1,000 events again
        </Button>
      </div>
      {failure !== null && <Failure of={failure} />}
      {result && <Found found={result.found} stale={result.program !== program} />}
    </div>
  )
}

function Found({ found, stale }: { found: Result; stale: boolean }) {
  if (found.compile_errors.length > 0) return <p className={classes.bad}>The program can't be compiled; mend it first.</p>
  if (found.events === 0) return <p>{found.without_record > 0 ? `None of ${plural(found.without_record, 'event')} keeps the record it came from.` : 'The source has no events yet.'}</p>
  return (
    <div className="stack">
      {stale && <p className="dim">The program was changed since; run it again.</p>}
      <div className={classes.counts} role="status">
        <span data-tone="ok">
          <strong>{count(found.same)}</strong> the same
        </span>
        <span data-tone={found.changed > 0 ? 'warn' : undefined}>
          <strong>{count(found.changed)}</strong> changed
        </span>
        <span data-tone={found.failed > 0 ? 'bad' : undefined}>
          <strong>{count(found.failed)}</strong> no event any more
        </span>
        <span className="dim">of {plural(found.events, 'event')}</span>
      </div>
      {found.partial && <p className="dim">It took too long to read more of them.</p>}
      {found.examples.map((e) => (
        <article key={e.position} className={classes.example}>
          <header>
            <Link to="/events" {...({ search: { open: String(e.position), from: 'now-3650d', to: 'now' } } as object)}>
              Event {count(e.position)}
            </Link>
            <code className="clip dim">{e.record}</code>
          </header>
          {e.error ? (
            <p className={classes.bad}>{e.error}</p>
          ) : (
            <table>
              <tbody>
                {e.changes.map((c) => (
                  <tr key={c.field}>
                    <th scope="row">{c.field}</th>
                    <td className={classes.old}>{shown(c.old)}</td>
                    <td className={classes.new}>{shown(c.new)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </article>
      ))}
    </div>
  )
}

function shown(value: unknown): React.ReactNode {
  if (value === null || value === undefined) return <span className="dim">—</span>
  return typeof value === 'string' ? value : JSON.stringify(value)
}
