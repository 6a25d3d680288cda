import { expect, test } from 'vitest'
import { formOf, settingsOf } from './inputs'

test('a form becomes settings and back', () => {
  const form = { brokers: 'k1:9092, k2:9092\n', topics: 'audit', tls: 'true', password: '', from: 'end' }
  const settings = settingsOf('kafka', form)
  expect(settings).toEqual({ brokers: ['k1:9092', 'k2:9092'], topics: ['audit'], tls: true, from: 'end' })
  expect(settingsOf('kafka', formOf(settings))).toEqual(settings)
})

test('what a kind does not know is left out', () => {
  expect(settingsOf('files', { paths: '/var/log/a.log', topics: 'x', record_start: ' ' })).toEqual({ paths: ['/var/log/a.log'] })
})
