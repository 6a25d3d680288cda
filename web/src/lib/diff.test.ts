import { expect, test } from 'vitest'
import { diffLines, folded } from './diff'

const told = (before: string, after: string): string =>
  diffLines(before, after)
    .map((l) => ({ same: ' ', old: '-', new: '+' })[l.kind] + l.text)
    .join('|')

test('lines that were taken out and put in are told', () => {
  expect(told('a\nb\nc', 'a\nx\nc')).toBe(' a|-b|+x| c')
  expect(told('a\nb', 'a\nb')).toBe(' a| b')
  expect(told('', 'a')).toBe('-|+a')
  expect(told('a\nb\nc\nd', 'b\nc\ne\nd')).toBe('-a| b| c|+e| d')
  expect(told('a\na\na', 'a\na')).toBe(' a| a|-a')
})

test('what was taken out and put in makes one of the other, whatever the texts', () => {
  let seed = 7
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
  for (let round = 0; round < 200; round++) {
    const text = (): string => Array.from({ length: random(12) }, () => 'abc'[random(3)]).join('\n')
    const [before, after] = [text(), text()]
    const lines = diffLines(before, after)
    expect(lines.filter((l) => l.kind !== 'new').map((l) => l.text).join('\n')).toBe(before)
    expect(lines.filter((l) => l.kind !== 'old').map((l) => l.text).join('\n')).toBe(after)
  }
})

test('long unchanged stretches are folded', () => {
  const before = Array.from({ length: 40 }, (_, n) => `line ${n}`).join('\n')
  const shown = folded(diffLines(before, before.replace('line 20', 'changed')))
  expect(shown[0]).toBeNull()
  expect(shown.at(-1)).toBeNull()
  expect(shown).toHaveLength(10)
  expect(folded(diffLines(before, before))).toEqual([null])
})
