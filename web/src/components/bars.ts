import type { Summary } from '@/api/types'
import { barWidth, type Span } from '@/lib/range'
import { severityOf } from '@/lib/severity'
import type { Bar } from '@/ui/Histogram'

/** A summary by severity as the bars of a histogram, and how wide a bar is. */
export function barsOf(summary: Summary | undefined, span: Span): { bars: Bar[]; width: number } {
  const buckets = summary?.buckets ?? []
  const bars = buckets.map((b) => {
    const by: Bar['by'] = {}
    for (const [key, n] of Object.entries(b.by)) {
      const severity = severityOf(key)
      by[severity] = (by[severity] ?? 0) + n
    }
    return { from: Date.parse(b.from), by }
  })
  // Empty stretches may be left out, so the width is the smallest distance of two neighbours.
  const gaps = bars.slice(1).map((b, i) => b.from - (bars[i]?.from ?? b.from)).filter((g) => g > 0)
  return { bars, width: gaps.length > 0 ? Math.min(...gaps) : barWidth(span) }
}
