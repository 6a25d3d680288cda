const locale = undefined

const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const shortClock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' })
const dayYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' })
const weekday = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short' })

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** 14:01:58.112 today, "3 Nov 14:01:58" this year, "3 Nov 2025 14:01" before. In the viewer's zone. */
export function stamp(iso: string, now = Date.now()): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  const today = new Date(now)
  if (at.toDateString() === today.toDateString()) return `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`
  if (at.getFullYear() === today.getFullYear()) return `${day.format(at)} ${clock.format(at)}`
  return `${dayYear.format(at)} ${shortClock.format(at)}`
}

/** Day, month and minute: enough for a list of things that are not events. */
export function moment(iso: string, now = Date.now()): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  const sameYear = at.getFullYear() === new Date(now).getFullYear()
  return `${(sameYear ? day : dayYear).format(at)} ${shortClock.format(at)}`
}

/** As the trail writes it: 2026-11-21 21:50:52.123Z. */
export function utc(iso: string | number | Date): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return String(iso)
  return at.toISOString().replace('T', ' ').replace('.000Z', 'Z')
}

/** "12 s ago", "in 3 min", "5 d ago"; a fresh moment is "now". */
export function ago(iso: string, now = Date.now()): string {
  const past = now - new Date(iso).getTime()
  if (Number.isNaN(past)) return iso
  const size = Math.abs(past)
  if (size < 5 * SECOND) return 'now'
  const words = duration(size)
  return past >= 0 ? `${words} ago` : `in ${words}`
}

/** The largest unit that fits: "840 ms", "12 s", "3 min", "5 h", "12 d". */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`
  return `${Math.floor(ms / DAY)} d`
}

/** Label of a bar of a histogram, as exact as the bar is wide. */
export function barLabel(from: number, width: number): string {
  const at = new Date(from)
  if (width >= DAY) return weekday.format(at)
  if (width >= MINUTE) return `${day.format(at)} ${shortClock.format(at)}`
  return `${day.format(at)} ${clock.format(at)}`
}

/** Ticks under a time axis. */
export function tickLabel(at: number, range: number): string {
  return range <= 2 * DAY ? shortClock.format(at) : day.format(at)
}
