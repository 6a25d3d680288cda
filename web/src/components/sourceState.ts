import type { Source } from '@/api/types'
import { DAY, HOUR } from '@/lib/time'

/** What a source is called. Events that came without naming one stand under `events`. */
export function sourceTitle(source: Source): string {
  return source.title || (source.name === 'events' ? 'Sent as events, no source named' : source.name)
}

/** Whether a source speaks. One that spoke and then fell silent is worth a look; one that never spoke is not connected. */
export function sourceState(source: Source, now = Date.now()): { tone: 'ok' | 'warn' | 'idle'; words: string } {
  if (!source.enabled) return { tone: 'idle', words: 'off' }
  if (!source.last_seen_at) return { tone: 'idle', words: 'not connected' }
  const silent = now - Date.parse(source.last_seen_at)
  if (silent > DAY) return { tone: 'warn', words: 'silent' }
  return silent > HOUR ? { tone: 'ok', words: 'quiet' } : { tone: 'ok', words: 'speaking' }
}
