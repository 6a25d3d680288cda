import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import * as ask from '@/api/queries'
import type { Trail } from '@/api/types'
import { abbreviate, count } from '@/lib/format'
import { fromBase64, toHex } from '@/lib/bytes'
import { utc } from '@/lib/time'
import { StateDot } from '@/ui/Panel'
import classes from './TrailState.module.css'

type Tone = 'ok' | 'warn' | 'bad' | 'idle' | 'busy'

/** The state of the trail in few words. */
export function stateOf(trail: Trail): { tone: Tone; words: string } {
  const check = trail.self_check
  if (check.state === 'failed') return { tone: 'bad', words: check.position === undefined || check.position === null ? 'trail is wrong' : `trail is wrong at ${count(check.position)}` }
  if (check.state === 'running') return { tone: 'busy', words: 'trail is being checked' }
  if (check.state === 'never') return { tone: 'idle', words: 'trail not checked yet' }
  return { tone: 'ok', words: 'trail ok' }
}

export function rootHex(root: string): string {
  try {
    return toHex(fromBase64(root))
  } catch {
    return root
  }
}

/** The foot of the navigation: is the trail whole? */
export function TrailFoot({ onGo }: { onGo?: () => void }) {
  const { data, isError } = useQuery(ask.trail)
  const state = isError ? { tone: 'bad' as const, words: 'server can\'t be reached' } : data ? stateOf(data) : { tone: 'idle' as const, words: '…' }
  return (
    <Link to="/trail" className={classes.foot} data-tone={state.tone} onClick={onGo} aria-label={`State of the trail: ${state.words}`}>
      <StateDot tone={state.tone}>{state.words}</StateDot>
    </Link>
  )
}

/** The line under every page: sealed when, how many, which root. */
export function TrailLine() {
  const { data } = useQuery(ask.trail)
  if (!data) return <div className={classes.line}>…</div>
  const state = stateOf(data)
  return (
    <Link to="/trail" className={classes.line}>
      <span className="narrow-only">
        <StateDot tone={state.tone}>{state.words}</StateDot>
      </span>
      <span title={utc(data.checkpoint.at)} className="wide-only">
        sealed {utc(data.checkpoint.at).slice(11, 19)}Z
      </span>
      <span className={classes.next}>{count(data.size)} events</span>
      <span className={`clip wide-only ${classes.next}`} title={rootHex(data.checkpoint.root)}>
        root <code>{abbreviate(rootHex(data.checkpoint.root), 8)}</code>
      </span>
      {data.size - data.indexed_to > 5_000 && <span className={classes.late}>search is {count(data.size - data.indexed_to)} events behind</span>}
    </Link>
  )
}
