import { useEffect, useState } from 'react'
import { ago, moment, stamp, utc } from '@/lib/time'

/** A moment in the viewer's zone, exact UTC on hover. */
export function Time({ at, style = 'stamp' }: { at: string | null | undefined; style?: 'stamp' | 'moment' }) {
  if (!at) return <span className="dim">—</span>
  return (
    <time dateTime={at} title={utc(at)}>
      {style === 'stamp' ? stamp(at) : moment(at)}
    </time>
  )
}

/** "5 min ago", kept current; exact UTC on hover. */
export function Ago({ at, never = 'never' }: { at: string | null | undefined; never?: string }) {
  const now = useNow(15_000)
  if (!at) return <span className="dim">{never}</span>
  return (
    <time dateTime={at} title={utc(at)}>
      {ago(at, now)}
    </time>
  )
}

/** The time, told again every `every` milliseconds. */
export function useNow(every: number): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every)
    return () => clearInterval(timer)
  }, [every])
  return now
}
