import type { Source, SourceHealth } from '@/api/types'
import { duration } from '@/lib/time'

type Tone = 'ok' | 'warn' | 'bad' | 'idle'

const STATES: Record<SourceHealth['state'], { tone: Tone; words: string }> = {
  ok: { tone: 'ok', words: 'as usual' },
  new: { tone: 'idle', words: 'not connected' },
  off: { tone: 'idle', words: 'off' },
  late: { tone: 'warn', words: 'late' },
  rejecting: { tone: 'warn', words: 'not understood' },
  silent: { tone: 'bad', words: 'silent' },
}

/** What a source is called. Events that came without naming one stand under `events`. */
export function sourceTitle(source: Source): string {
  return source.title || (source.name === 'events' ? 'Sent as events, no source named' : source.name)
}

/** How a source is, in a word. Open gaps are worth a look also where all else is as usual. */
export function sourceState(source: Source): { tone: Tone; words: string } {
  const { state, gaps_open } = source.health
  return state === 'ok' && gaps_open > 0 ? { tone: 'warn', words: 'has gaps' } : STATES[state]
}

/** "3 s", "5 min ahead", from milliseconds. */
export function skewWords(ms: number): string {
  return Math.abs(ms) < 1_000 ? 'none' : `${duration(Math.abs(ms))} ${ms > 0 ? 'ahead' : 'behind'}`
}

/** 12.4, 1,204: as exact as it helps. */
export function rateWords(perMinute: number): string {
  return perMinute >= 10 ? Math.round(perMinute).toLocaleString('en-US') : perMinute.toFixed(1)
}
