import { expect, test } from 'vitest'
import { isShareOf } from './share'

const SHARE = 'Belfry master key 9f3c22a1: share 1 of 2, any 2 open a backup\n04h6sk 1n0d3p\nq9ttm2 000111'

test('a share is known however it was typed', () => {
  for (const typed of [SHARE, '04h6sk 1n0d3p q9ttm2 000111', 'O4H6SK-lnod3p\n\nq9ttm2oo0ilL']) expect(isShareOf(typed, ['x', SHARE])).toBe(true)
  for (const typed of ['', '04h6sk', '04h6sk 1n0d3p q9ttm2 000110']) expect(isShareOf(typed, [SHARE])).toBe(false)
})
