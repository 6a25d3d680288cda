import { describe, expect, it } from 'vitest'
import { barWidth, fromLocalInput, rangeLabel, resolve, span, toLocalInput } from './range'
import { DAY, HOUR, MINUTE, ago, duration, stamp, utc } from './time'

const NOW = Date.parse('2026-11-21T14:30:00Z')

describe('resolve', () => {
  it.each([
    ['now', NOW],
    ['now-15m', NOW - 15 * MINUTE],
    ['now-24h', NOW - DAY],
    ['now-7d', NOW - 7 * DAY],
    ['now-2w', NOW - 14 * DAY],
    ['now+1h', NOW + HOUR],
    ['2026-11-01T00:00:00Z', Date.parse('2026-11-01T00:00:00Z')],
    ['yesterday', null],
    ['now-', null],
    ['now-5y', null],
    ['', null],
  ])('%s', (text, expected) => expect(resolve(text, NOW)).toBe(expected))
  it('finds the start of the day of the viewer', () => {
    const start = new Date(resolve('now/d', NOW) ?? 0)
    expect([start.getHours(), start.getMinutes(), start.getSeconds()]).toEqual([0, 0, 0])
    expect(NOW - start.getTime()).toBeLessThan(DAY)
  })
})

describe('span', () => {
  it('falls back to the last day when the ends can\'t be read or are the wrong way round', () => {
    expect(span({ from: 'x', to: 'now' }, NOW)).toEqual({ from: NOW - DAY, to: NOW })
    expect(span({ from: 'now', to: 'now-1h' }, NOW)).toEqual({ from: NOW - DAY, to: NOW })
  })
})

describe('words and widths', () => {
  it('names ranges', () => {
    expect(rangeLabel({ from: 'now-24h', to: 'now' })).toBe('Last 24 hours')
    expect(rangeLabel({ from: 'now-3h', to: 'now' })).toBe('Last 3 h')
    expect(rangeLabel({ from: '2026-01-02T03:04:05Z', to: 'now' })).toContain('–')
  })
  it('chooses at most about sixty bars', () => {
    for (const width of [MINUTE, HOUR, DAY, 7 * DAY, 90 * DAY, 365 * DAY]) {
      const bars = width / barWidth({ from: 0, to: width })
      expect(bars).toBeLessThanOrEqual(61)
      expect(bars).toBeGreaterThan(10)
    }
  })
  it('goes through an input field and back', () => {
    expect(fromLocalInput(toLocalInput(NOW))).toBe(new Date(NOW).toISOString())
    expect(fromLocalInput('')).toBeNull()
  })
})

describe('moments', () => {
  it('says how long ago', () => {
    expect(ago(new Date(NOW - 2_000).toISOString(), NOW)).toBe('now')
    expect(ago(new Date(NOW - 90_000).toISOString(), NOW)).toBe('1 min ago')
    expect(ago(new Date(NOW + HOUR).toISOString(), NOW)).toBe('in 1 h')
    expect(ago('nonsense', NOW)).toBe('nonsense')
  })
  it('is exact in UTC', () => {
    expect(utc('2026-11-21T14:30:00.120Z')).toBe('2026-11-21 14:30:00.120Z')
    expect(utc('2026-11-21T14:30:00Z')).toBe('2026-11-21 14:30:00Z')
  })
  it('tells milliseconds only of today', () => {
    expect(stamp(new Date(NOW - 5).toISOString(), NOW)).toMatch(/\.995$/)
    expect(stamp('2025-01-02T03:04:05Z', NOW)).toContain('2025')
  })
  it.each([
    [12, '12 ms'],
    [3_400, '3 s'],
    [90_000, '1 min'],
    [5 * HOUR, '5 h'],
    [3 * DAY, '3 d'],
  ])('%d ms', (ms, words) => expect(duration(ms)).toBe(words))
})
