const whole = new Intl.NumberFormat('en-US')
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })

/** 12,482,113 */
export function count(value: number): string {
  return whole.format(value)
}

/** 12.5M, for the axis of a chart. */
export function short(value: number): string {
  return compact.format(value)
}

export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let size = value
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(size < 10 ? 1 : 0)} ${units[unit] ?? ''}`
}

/** "1 event", "2 events". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** The change against an earlier figure: "+12 %", "−40 %", "new". */
export function change(now: number, before: number): { text: string; direction: 'up' | 'down' | 'same' } {
  if (before === 0) return now === 0 ? { text: '±0 %', direction: 'same' } : { text: 'new', direction: 'up' }
  const percent = Math.round(((now - before) / before) * 100)
  if (percent === 0) return { text: '±0 %', direction: 'same' }
  if (percent > 999) return { text: `×${Math.round(now / before)}`, direction: 'up' }
  return percent > 0 ? { text: `+${percent} %`, direction: 'up' } : { text: `−${-percent} %`, direction: 'down' }
}

/** First and last letters of a long hash. */
export function abbreviate(hash: string, ends = 6): string {
  return hash.length <= ends * 2 + 1 ? hash : `${hash.slice(0, ends)}…${hash.slice(-ends)}`
}

export function initials(name: string): string {
  const parts = name.split(/[\s._-]+/).filter(Boolean)
  return ((parts[0]?.[0] ?? '') + (parts.length > 1 ? (parts.at(-1)?.[0] ?? '') : (parts[0]?.[1] ?? ''))).toUpperCase()
}

/** credential.password.viewed → Credential password viewed, for a type the catalogue does not know. */
export function words(type: string): string {
  const plain = type.replace(/[._-]+/g, ' ').trim()
  return plain.charAt(0).toUpperCase() + plain.slice(1)
}
