import { describe, expect, it } from 'vitest'
import { clauses, dropClause, exclude, include, literal, placeAt, tokens } from './kql'

const kinds = (text: string): string => tokens(text).map((t) => `${t.kind}:${t.text}`).join(' ')

describe('tokens', () => {
  it.each([
    ['', ''],
    ['event.action: credential.*', 'word:event.action operator:: word:credential.*'],
    ['a:b and not c>=3', 'word:a operator:: word:b join:and not:not word:c operator:>= word:3'],
    ['user.name: ("ada m" OR bo)', 'word:user.name operator:: open:( quoted:"ada m" join:OR word:bo close:)'],
    ['a: "open', 'word:a operator:: quoted:"open'],
    ['a: "say \\"so\\""', 'word:a operator:: quoted:"say \\"so\\""'],
    ['source.ip: 10.0.0.0/8', 'word:source.ip operator:: word:10.0.0.0/8'],
  ])('%s', (text, expected) => expect(kinds(text)).toBe(expected))

  it('says where each one stands, and never loses a letter', () => {
    const text = '  a : (b or "c d")  and not e<=5 }'
    for (const t of tokens(text)) expect(text.slice(t.start, t.end)).toBe(t.text)
    expect(tokens(text).map((t) => t.text).join('')).toBe(text.replace(/\s+(?=(?:[^"]*"[^"]*")*[^"]*$)/g, ''))
  })

  it('ends on any input', () => {
    const signs = ['a', ':', '"', '\\', '(', ')', ' ', '>', '=', '{', '*', 'ü', '\u0000']
    for (let seed = 0; seed < 2_000; seed++) {
      let n = seed * 7919 + 17
      let text = ''
      while (n > 0) {
        text += signs[n % signs.length] ?? ''
        n = Math.floor(n / signs.length)
      }
      expect(tokens(text).reduce((at, t) => (expect(t.start).toBeGreaterThanOrEqual(at), t.end), 0)).toBeLessThanOrEqual(text.length)
    }
  })
})

describe('placeAt', () => {
  const at = (marked: string): unknown => {
    const cursor = marked.indexOf('|')
    const place = placeAt(marked.replace('|', ''), cursor)
    if (place.kind === 'none') return 'none'
    return place.kind === 'value' ? `value of ${place.field}: ${place.prefix}` : `${place.kind}: ${place.prefix}`
  }
  it.each([
    ['|', 'field: '],
    ['us|', 'field: us'],
    ['user.name|', 'field: user.name'],
    ['user.name:|', 'value of user.name: '],
    ['user.name: ad|', 'value of user.name: ad'],
    ['user.name: "ad|', 'value of user.name: ad'],
    ['user.name: ada |', 'join: '],
    ['user.name: ada an|', 'join: an'],
    ['user.name: ada and |', 'field: '],
    ['user.name: ada and not ho|', 'field: ho'],
    ['user.name: (ada or b|', 'value of user.name: b'],
    ['user.name: (|', 'value of user.name: '],
    ['(user.name: ada or h|', 'field: h'],
    ['event.severity >= hi|', 'value of event.severity: hi'],
    ['us| : ada', 'field: us'],
    ['"free words|', 'none'],
  ])('%s', (marked, expected) => expect(at(marked)).toBe(expected))
})

describe('values as filters', () => {
  it('quotes only what needs it', () => {
    expect(literal('svc-backup')).toBe('svc-backup')
    expect(literal('Ada M')).toBe('"Ada M"')
    expect(literal('say "so" \\')).toBe('"say \\"so\\" \\\\"')
    expect(literal('and')).toBe('"and"')
    expect(literal('fe80::1')).toBe('"fe80::1"')
    expect(literal('*')).toBe('"*"')
  })
  it('adds a value once', () => {
    const once = include('', 'user.name', 'ada')
    expect(once).toBe('user.name: ada')
    expect(include(once, 'user.name', 'ada')).toBe(once)
    expect(include('user.name:ada', 'user.name', 'ada')).toBe('user.name:ada')
  })
  it('turns an inclusion into an exclusion and back', () => {
    const out = exclude('a: b and user.name: ada', 'user.name', 'ada')
    expect(out).toBe('a: b and not user.name: ada')
    expect(include(out, 'user.name', 'ada')).toBe('a: b and user.name: ada')
  })
  it('puts brackets around an or', () => {
    expect(include('a: 1 or b: 2', 'c', '3')).toBe('(a: 1 or b: 2) and c: 3')
    expect(clauses('a: (1 or 2) and b: 3')).toEqual(['a: (1 or 2)', 'b: 3'])
    expect(dropClause('a: 1 or b: 2', 'b: 2')).toBe('a: 1 or b: 2')
  })
})
