/** Where a person is while writing a filter. The server alone decides what a filter means; this only helps to write one. */
export type Place =
  | { kind: 'field'; prefix: string; start: number; end: number }
  | { kind: 'value'; field: string; prefix: string; start: number; end: number; quoted: boolean }
  | { kind: 'join'; prefix: string; start: number; end: number }
  | { kind: 'none' }

export interface Token {
  kind: 'word' | 'quoted' | 'operator' | 'open' | 'close' | 'join' | 'not'
  text: string
  start: number
  end: number
}

const OPERATOR = /^(?::|>=|<=|>|<)/

/** Splits a filter into tokens. Never fails: a quote that does not end runs to the end of the text. */
export function tokens(text: string): Token[] {
  const found: Token[] = []
  let at = 0
  const push = (kind: Token['kind'], end: number): void => {
    found.push({ kind, text: text.slice(at, end), start: at, end })
    at = end
  }
  while (at < text.length) {
    const rest = text.slice(at)
    const space = /^\s+/.exec(rest)
    const operator = OPERATOR.exec(rest)
    if (space) at += space[0].length
    else if (rest[0] === '(' || rest[0] === '{') push('open', at + 1)
    else if (rest[0] === ')' || rest[0] === '}') push('close', at + 1)
    else if (operator) push('operator', at + operator[0].length)
    else if (rest[0] === '"') {
      const whole = /^"(?:\\.|[^"\\])*"?/.exec(rest)
      push('quoted', at + (whole?.[0].length ?? 1))
    } else {
      const word = /^(?:\\.|[^\s(){}":<>\\]|:(?=[0-9a-fA-F:]*:)|\\$)+/.exec(rest)
      const end = at + (word?.[0].length ?? 1)
      const lower = text.slice(at, end).toLowerCase()
      push(lower === 'and' || lower === 'or' ? 'join' : lower === 'not' ? 'not' : 'word', end)
    }
  }
  return found
}

/** What is wanted at the cursor: a field, a value of a field, or the word that joins two conditions. */
export function placeAt(text: string, cursor: number): Place {
  const all = tokens(text)
  const current = all.find((t) => (t.kind === 'word' || t.kind === 'quoted' || t.kind === 'join' || t.kind === 'not') && t.start < cursor && cursor <= t.end)
  const before = all.filter((t) => t.end <= (current ? current.start : cursor))
  const start = current?.start ?? cursor
  const end = current?.end ?? cursor
  const raw = text.slice(start, cursor)
  const field = fieldOf(before)
  if (field !== null) {
    const quoted = raw.startsWith('"')
    return { kind: 'value', field, prefix: quoted ? raw.slice(1) : raw, start, end, quoted }
  }
  const previous = before.at(-1)
  if (!previous || previous.kind === 'join' || previous.kind === 'not' || previous.kind === 'open') {
    return raw.startsWith('"') ? { kind: 'none' } : { kind: 'field', prefix: raw, start, end }
  }
  return { kind: 'join', prefix: raw, start, end }
}

/** The field whose value is being written, seen from the tokens before the cursor: after `field:`, or inside `field:(a or …`. */
function fieldOf(before: Token[]): string | null {
  const last = before.at(-1)
  if (!last) return null
  if (last.kind === 'operator') {
    const field = before.at(-2)
    return field?.kind === 'word' ? field.text : null
  }
  if (last.kind !== 'open' && last.kind !== 'join' && last.kind !== 'not') return null
  let depth = 0
  for (let i = before.length - 1; i >= 0; i--) {
    const token = before[i]
    if (token?.kind === 'close') depth++
    else if (token?.kind === 'open' && depth > 0) depth--
    else if (token?.kind === 'open') {
      const operator = before[i - 1]
      const field = before[i - 2]
      return operator?.kind === 'operator' && field?.kind === 'word' ? field.text : null
    }
  }
  return null
}

/** A value as it stands in a filter: bare when that is safe, else quoted. */
export function literal(value: string): string {
  const bare = /^[A-Za-z0-9_@./\-+]+$/.test(value) && !/^(and|or|not)$/i.test(value)
  return bare ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`
}

/** `filter` and this value. A value that is in it already is not added again; one that was excluded is included instead. */
export function include(filter: string, field: string, value: string): string {
  const wanted = `${field}: ${literal(value)}`
  const without = dropClause(filter, `not ${wanted}`)
  return hasClause(without, wanted) ? without : both(without, wanted)
}

/** `filter` without this value. */
export function exclude(filter: string, field: string, value: string): string {
  const unwanted = `not ${field}: ${literal(value)}`
  const without = dropClause(filter, `${field}: ${literal(value)}`)
  return hasClause(without, unwanted) ? without : both(without, unwanted)
}

export function both(left: string, right: string): string {
  if (left.trim() === '') return right.trim()
  if (right.trim() === '') return left.trim()
  return `${wrap(left)} and ${wrap(right)}`
}

/** Parts that are joined by `and` on the highest level; one part when there is an `or` there. */
export function clauses(filter: string): string[] {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (const token of tokens(filter)) {
    if (token.kind === 'open') depth++
    if (token.kind === 'close') depth--
    if (token.kind !== 'join' || depth > 0) continue
    if (token.text.toLowerCase() === 'or') return [filter.trim()]
    parts.push(filter.slice(from, token.start).trim())
    from = token.end
  }
  parts.push(filter.slice(from).trim())
  return parts.filter((p) => p !== '')
}

export function hasClause(filter: string, clause: string): boolean {
  return clauses(filter).some((c) => same(c, clause))
}

export function dropClause(filter: string, clause: string): string {
  const all = clauses(filter)
  return all.some((c) => same(c, clause)) ? all.filter((c) => !same(c, clause)).join(' and ') : filter.trim()
}

function same(a: string, b: string): boolean {
  const plain = (text: string): string => tokens(text).map((t) => (t.kind === 'not' ? 'not' : t.text)).join(' ')
  return plain(a) === plain(b)
}

function wrap(filter: string): string {
  let depth = 0
  for (const token of tokens(filter)) {
    if (token.kind === 'open') depth++
    if (token.kind === 'close') depth--
    if (depth === 0 && token.kind === 'join' && token.text.toLowerCase() === 'or') return `(${filter.trim()})`
  }
  return filter.trim()
}
