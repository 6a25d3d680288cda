import { DAY, HOUR, MINUTE, SECOND, duration, moment } from './time'

/** A range of time as the address holds it: words relative to now, or moments with their zone. */
export type Range = {
  from: string
  to: string
}

export interface Span {
  from: number
  to: number
}

export const PRESETS: ReadonlyArray<Range & { label: string }> = [
  { label: 'Last 15 minutes', from: 'now-15m', to: 'now' },
  { label: 'Last hour', from: 'now-1h', to: 'now' },
  { label: 'Last 4 hours', from: 'now-4h', to: 'now' },
  { label: 'Last 24 hours', from: 'now-24h', to: 'now' },
  { label: 'Last 7 days', from: 'now-7d', to: 'now' },
  { label: 'Last 30 days', from: 'now-30d', to: 'now' },
  { label: 'Last 90 days', from: 'now-90d', to: 'now' },
  { label: 'Last year', from: 'now-365d', to: 'now' },
  { label: 'Today', from: 'now/d', to: 'now' },
  { label: 'Yesterday', from: 'now-1d/d', to: 'now/d' },
]

const UNITS: Record<string, number> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }

/** The moment that `text` stands for, or null when it stands for none. `/d` is the start of that day in the viewer's zone. */
export function resolve(text: string, now: number): number | null {
  const relative = /^now(?:([+-])(\d{1,6})([smhdw]))?(\/d)?$/.exec(text.trim())
  if (!relative) {
    const at = Date.parse(text)
    return Number.isNaN(at) ? null : at
  }
  const [, sign, count, unit, floor] = relative
  let at = now
  if (sign && count && unit) at += (sign === '-' ? -1 : 1) * Number(count) * (UNITS[unit] ?? 0)
  if (floor) at = new Date(at).setHours(0, 0, 0, 0)
  return at
}

/** Both ends as moments; a range that can't be read falls back to the last 24 hours. */
export function span(range: Range, now: number): Span {
  const from = resolve(range.from, now)
  const to = resolve(range.to, now)
  if (from === null || to === null || from >= to) return { from: now - DAY, to: now }
  return { from, to }
}

export function isRelative(range: Range): boolean {
  return range.from.startsWith('now') && range.to.startsWith('now')
}

export function rangeLabel(range: Range): string {
  const preset = PRESETS.find((p) => p.from === range.from && p.to === range.to)
  if (preset) return preset.label
  const back = /^now-(\d+)([smhdw])$/.exec(range.from)
  if (back && range.to === 'now') return `Last ${duration(Number(back[1]) * (UNITS[back[2] ?? ''] ?? 0))}`
  return `${end(range.from)} – ${end(range.to)}`
}

function end(text: string): string {
  return text.startsWith('now') ? text : moment(text)
}

/** Bars of a width people can name, at most about `bars` of them. */
export function barWidth(range: Span, bars = 60): number {
  const steps = [SECOND, 5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY]
  const wanted = (range.to - range.from) / bars
  return steps.find((s) => s >= wanted) ?? 30 * DAY
}

/** "30 min", "1 h", "1 d": the width of a bar in words. */
export function widthLabel(width: number): string {
  if (width >= DAY) return width === DAY ? 'day' : `${Math.round(width / DAY)} days`
  return width === HOUR ? 'hour' : width === MINUTE ? 'minute' : duration(width)
}

/** As an <input type="datetime-local"> wants it, in the viewer's zone. */
export function toLocalInput(at: number): string {
  const shifted = new Date(at - new Date(at).getTimezoneOffset() * MINUTE)
  return shifted.toISOString().slice(0, 19)
}

export function fromLocalInput(text: string): string | null {
  const at = new Date(text)
  return Number.isNaN(at.getTime()) ? null : at.toISOString()
}
