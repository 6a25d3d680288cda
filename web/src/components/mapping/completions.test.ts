import { expect, test } from 'vitest'
import { nativePaths, offers } from './completions'

const REFERENCE = {
  functions: [{ name: 'text', signature: 'text(value)', usage: 'The value as text.' }],
  fields: [{ name: 'user.name', kind: 'keyword', title: 'User' }],
  decoders: ['json', 'kv'],
}
const NATIVE = ['.native.who']
const labels = (before: string): string[] => [...(offers(before, REFERENCE, NATIVE)?.options ?? [])].sort((a, b) => (b.boost ?? 0) - (a.boost ?? 0)).map((o) => o.label)

test('the start of a line wants a field, what is assigned wants what the record has', () => {
  expect(labels('.us')[0]).toBe('.user.name')
  expect(labels('.user.name = text(.na')[0]).toBe('.native.who')
  expect(offers('  .us', REFERENCE, NATIVE)?.from).toBe(2)
})

test('functions are offered where a value stands, decoders in the head, nothing in a comment', () => {
  expect(labels('.user.name = te')).toContain('text')
  expect(labels('# decoder: json, k')).toEqual(['json', 'kv'])
  expect(offers('# decoder: json, k', REFERENCE, NATIVE)?.from).toBe(17)
  expect(offers('# a word', REFERENCE, NATIVE)).toBeNull()
  expect(offers('x = ', REFERENCE, NATIVE)).toBeNull()
})

test('paths of a record are written as a program writes them', () => {
  expect(nativePaths({ a: 1, 'b c': { d: [{ e: null }] }, f: [] })).toEqual(['.native.a', '.native."b c".d[0].e'])
  expect(nativePaths('x')).toEqual([])
})
