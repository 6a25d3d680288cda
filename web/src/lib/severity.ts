export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

/** The word for a number from 0 to 100, with the bounds of the server. */
export function severityOf(value: unknown): Severity {
  if (typeof value === 'string') return SEVERITIES.find((s) => s === value) ?? severityOf(Number(value))
  const number = typeof value === 'number' && !Number.isNaN(value) ? value : 0
  if (number <= 20) return 'info'
  if (number <= 40) return 'low'
  if (number <= 60) return 'medium'
  return number <= 80 ? 'high' : 'critical'
}
