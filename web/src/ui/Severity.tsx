import { severityOf, type Severity } from '@/lib/severity'

// Each severity has a shape of its own, so that nobody has to tell it from the colour.
const SHAPES: Record<Severity, React.ReactNode> = {
  info: <circle cx="6" cy="6" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.8" />,
  low: <circle cx="6" cy="6" r="4.4" />,
  medium: <path d="M6 .9 11.1 6 6 11.1.9 6Z" />,
  high: <path d="M6 1.1 11.4 10.6H.6Z" />,
  critical: <path d="M3.7.7h4.6l3 3v4.6l-3 3H3.7l-3-3V3.7Z" />,
}

export function SeverityShape({ value, size = 11 }: { value: unknown; size?: number }) {
  const severity = severityOf(value)
  return (
    <svg width={size} height={size} viewBox="0 0 12 12" fill="currentColor" aria-hidden="true" style={{ color: `var(--sev-${severity})`, flex: 'none' }}>
      {SHAPES[severity]}
    </svg>
  )
}

/** A severity as shape and word. */
export function SeverityMark({ value, word = true }: { value: unknown; word?: boolean }) {
  const severity = severityOf(value)
  return (
    <span style={{ display: 'inline-flex', alignItems: 'center', gap: 6 }} title={typeof value === 'number' ? `severity ${value} of 100` : undefined}>
      <SeverityShape value={severity} />
      <span className={word ? undefined : 'hidden'}>{severity}</span>
    </span>
  )
}
