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

/** Counts of numbers from 0 to 100 as counts of the words for them, the worst first. */
export function bySeverity(counts: Array<{ value: string; count: number }>): Array<{ value: Severity; count: number }> {
  const sums = new Map<Severity, number>()
  for (const { value, count } of counts) sums.set(severityOf(value), (sums.get(severityOf(value)) ?? 0) + count)
  return [...SEVERITIES].reverse().flatMap((value) => (sums.has(value) ? [{ value, count: sums.get(value) ?? 0 }] : []))
}
