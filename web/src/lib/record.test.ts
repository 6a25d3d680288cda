import { describe, expect, it } from 'vitest'
import { change, plural, short } from './format'
import { at, changes, leaves, textAt } from './record'
import { bySeverity, severityOf } from './severity'

const EVENT = { event: { action: 'a.b', severity: 61 }, user: { name: 'ada', roles: ['x', 'y'] }, 'labels.team': 'red', changes: [{ field: 'enabled', old: false, new: true }, 'odd'] }

describe('an event', () => {
  it('is read by dotted names', () => {
    expect(at(EVENT, 'event.severity')).toBe(61)
    expect(textAt(EVENT, 'user.roles')).toBe('x, y')
    expect(textAt(EVENT, 'labels.team')).toBe('red')
    expect(textAt(EVENT, 'user.name.first')).toBe('')
  })
  it('has its leaves in order', () => expect(leaves(EVENT).map((l) => l.name)).toEqual(['event.action', 'event.severity', 'user.name', 'user.roles', 'labels.team', 'changes']))
  it('tells its changes and skips what is none', () => expect(changes(EVENT)).toEqual([{ field: 'enabled', old: 'false', new: 'true' }]))
})

describe('severity', () => {
  it.each([
    [0, 'info'],
    [20, 'info'],
    [21, 'low'],
    [41, 'medium'],
    [61, 'high'],
    [80, 'high'],
    [81, 'critical'],
    ['73', 'high'],
    ['critical', 'critical'],
    [undefined, 'info'],
    ['nonsense', 'info'],
  ])('%s is %s', (value, word) => expect(severityOf(value)).toBe(word))
})

it('sums numbers under their word', () => {
  expect(bySeverity([{ value: '10', count: 3 }, { value: '50', count: 2 }, { value: '48', count: 1 }, { value: '20', count: 4 }])).toEqual([
    { value: 'medium', count: 3 },
    { value: 'info', count: 7 },
  ])
})

describe('figures', () => {
  it('compares with the week before', () => {
    expect(change(150, 100)).toEqual({ text: '+50 %', direction: 'up' })
    expect(change(60, 100)).toEqual({ text: '−40 %', direction: 'down' })
    expect(change(3, 0)).toEqual({ text: 'new', direction: 'up' })
    expect(change(0, 0).direction).toBe('same')
    expect(change(5000, 10).text).toBe('×500')
  })
  it('counts in words', () => {
    expect(plural(1, 'event')).toBe('1 event')
    expect(plural(1200, 'event')).toBe('1,200 events')
    expect(short(12_482_113)).toBe('12.5M')
  })
})
