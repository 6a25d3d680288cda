import { Skeleton } from '@mantine/core'
import type { CompileError, MappingResult } from '@/api/types'
import { plural } from '@/lib/format'
import { Json } from '@/ui/Json'
import { Chip } from '@/ui/Panel'
import classes from './Outcome.module.css'

/** What the program makes of a sample, or why it makes nothing. */
export function Outcome({ errors, result, empty, onError }: { errors: readonly CompileError[]; result: MappingResult | undefined; empty: boolean; onError?: (error: CompileError) => void }) {
  if (errors.length > 0) {
    return (
      <div className={classes.outcome}>
        <h2 className={classes.bad}>The program can't be compiled</h2>
        <ul className={classes.errors}>
          {errors.map((e, i) => (
            <li key={i}>
              <button type="button" className="plain" onClick={() => onError?.(e)}>
                <strong>
                  line {e.line}, column {e.column}
                </strong>
              </button>
              <pre>{e.message}</pre>
              {e.help && <p className="dim">{e.help}</p>}
            </li>
          ))}
        </ul>
      </div>
    )
  }
  if (empty) return <p className="dim">Put a record into the sample, and what it becomes appears here.</p>
  if (!result) return <Skeleton height={200} />
  if (result.skipped !== undefined)
    return (
      <div className={classes.outcome}>
        <h2>Left out on purpose</h2>
        <p>{result.skipped}</p>
      </div>
    )
  if (!result.ok)
    return (
      <div className={classes.outcome}>
        <h2 className={classes.bad}>Would be set aside</h2>
        <p>{result.error}</p>
      </div>
    )
  return (
    <div className={classes.outcome}>
      <h2>
        Becomes {plural(result.events.length, 'event')} <Chip tone="ok">admitted</Chip>
      </h2>
      {result.events.map((e, i) => (
        <Json key={i} value={withoutRecord(e)} />
      ))}
      <p className="dim small">The record itself is kept beside it, byte for byte, as event.original.</p>
    </div>
  )
}

/** The event without the record that it was made of, which stands beside it anyway. */
function withoutRecord(event: unknown): unknown {
  if (typeof event !== 'object' || event === null || !('event' in event) || typeof event.event !== 'object' || event.event === null) return event
  const rest = Object.entries(event.event).filter(([name]) => name !== 'original' && name !== 'original_base64')
  return { ...event, event: Object.fromEntries(rest) }
}
