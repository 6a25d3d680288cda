import { expect, test } from 'vitest'
import { waysToSend } from './sending'

test('the lines carry the address of this server and the name of the source', () => {
  for (const way of waysToSend('vault-prod', 'https://belfry.example.com', true)) {
    expect(way.lines, way.id).toContain('belfry.example.com')
    if (way.id !== 'syslog') expect(way.lines, way.id).toContain('vault-prod')
    expect(way.lines.split('\n').length, way.id).toBeLessThanOrEqual(7)
  }
  const elastic = (origin: string): string => waysToSend('x', origin, true).find((w) => w.id === 'elastic')?.lines ?? ''
  expect(elastic('https://belfry.example.com')).toContain('https://belfry.example.com:443/elastic')
  expect(elastic('http://127.0.0.1:7400')).toContain('http://127.0.0.1:7400/elastic')
})

test('events without a mapping name no source over HTTP', () => {
  expect(waysToSend('events', 'http://127.0.0.1:7400', false)[0]?.lines).not.toContain('?source=')
})
