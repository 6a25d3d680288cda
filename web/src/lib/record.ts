/** An event as the API gives it: ECS names, nested. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
export type EventRecord = { [key: string]: Json }

/** The value at a dotted name, whether the event nests it or spells the name with dots. */
export function at(event: EventRecord, dotted: string): Json | undefined {
  if (dotted in event) return event[dotted]
  let value: Json | undefined = event
  for (const part of dotted.split('.')) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
    value = value[part]
    if (value === undefined) return undefined
  }
  return value
}

/** The value as one line of text; empty when there is none. */
export function textAt(event: EventRecord, dotted: string): string {
  return show(at(event, dotted))
}

export function show(value: Json | undefined): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((v) => typeof v !== 'object')) return value.map((v) => show(v)).join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Every leaf with its dotted name, in the order of the event. Arrays of plain values are one leaf. */
export function leaves(event: EventRecord, prefix = ''): Array<{ name: string; value: Json }> {
  return Object.entries(event).flatMap(([key, value]) => {
    const name = prefix + key
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return leaves(value, `${name}.`)
    return [{ name, value }]
  })
}

export interface Change {
  field: string
  old: string
  new: string
}

/** The old and new values that the event carries. */
export function changes(event: EventRecord): Change[] {
  const list = event.changes
  if (!Array.isArray(list)) return []
  return list.flatMap((item) => {
    if (item === null || typeof item !== 'object' || Array.isArray(item)) return []
    return [{ field: show(item.field), old: show(item.old), new: show(item.new) }]
  })
}
