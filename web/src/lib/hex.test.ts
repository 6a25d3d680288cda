import { expect, test } from 'vitest'
import { around, bytesOf, hexRows } from './hex'

test('bytes stand in rows of sixteen, with what of them is text', () => {
  const rows = hexRows(new Uint8Array([...Array(16).keys(), 0x41, 0xff]), 10)
  expect(rows).toHaveLength(2)
  expect(rows[0]?.offset).toBe('000000')
  expect(rows[1]).toEqual({ offset: '000010', bytes: ['41', 'ff'], text: 'A.' })
  expect(hexRows(new Uint8Array(1000), 4)).toHaveLength(4)
  expect([...bytesOf('AP8=')]).toEqual([0, 255])
})

test('the place of a byte is found in text of any language', () => {
  expect(around('{"a":x}', 5)).toEqual({ before: '{"a":', at: 'x', after: '}' })
  expect(around('ел x', 5)).toEqual({ before: 'ел ', at: 'x', after: '' })
  expect(around('ab', 2)).toEqual({ before: 'ab', at: '', after: '' })
  expect(around('', 0)).toEqual({ before: '', at: '', after: '' })
})
