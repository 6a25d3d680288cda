import { DAY, HOUR, MINUTE } from '@/lib/time'

export const HOLDS: ReadonlyArray<{ seconds: number; words: string }> = [
  { seconds: 0, words: 'every time' },
  { seconds: 60, words: 'minute' },
  { seconds: 300, words: '5 minutes' },
  { seconds: 900, words: '15 minutes' },
  { seconds: 3_600, words: 'hour' },
  { seconds: 14_400, words: '4 hours' },
  { seconds: 43_200, words: '12 hours' },
  { seconds: 86_400, words: 'day' },
  { seconds: 604_800, words: 'week' },
]

/** "at most once per hour", "every time". */
export function holdWords(seconds: number): string {
  return seconds === 0 ? 'every time' : `at most once per ${spanWords(seconds)}`
}

export function spanWords(seconds: number): string {
  const known = HOLDS.find((h) => h.seconds === seconds)
  if (known) return known.words
  const ms = seconds * 1000
  if (ms % DAY === 0) return `${ms / DAY} days`
  if (ms % HOUR === 0) return `${ms / HOUR} hours`
  return ms % MINUTE === 0 ? `${ms / MINUTE} minutes` : `${seconds} seconds`
}

const PLAIN: Record<string, string> = {
  'event.action': 'action',
  'user.name': 'user',
  'host.name': 'host',
  'source.ip': 'origin',
  'event.outcome': 'outcome',
  'entity.name': 'object',
  'credential.username': 'credential',
  'session.id': 'session',
}

export function fieldWords(field: string): string {
  return PLAIN[field] ?? field
}
