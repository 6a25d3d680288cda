import { useElementSize } from '@mantine/hooks'
import { useState } from 'react'
import { count, short } from '@/lib/format'
import { barLabel, tickLabel } from '@/lib/time'
import { nice } from './Histogram'
import classes from './charts.module.css'

export interface Bar {
  from: number
  events: number
  /** Of these, what went wrong: stands on top. */
  bad: number
  /** What is usual, drawn as a line. */
  usual?: number
}

/** Counts over time with what went wrong on top, and what is usual as a line. */
export function Bars({ bars, barMs, words, height = 132 }: { bars: readonly Bar[]; barMs: number; words: { events: string; bad: string }; height?: number }) {
  const { ref, width } = useElementSize<HTMLDivElement>()
  const [hover, setHover] = useState<number | null>(null)
  const first = bars[0]?.from ?? 0
  const range = Math.max(1, bars.length * barMs)
  const most = nice(Math.max(1, ...bars.map((b) => Math.max(b.events + b.bad, b.usual ?? 0))))
  const plot = height - 18
  const x = (at: number): number => 34 + ((at - first) / range) * Math.max(0, width - 38)
  const y = (n: number): number => plot - (n / most) * (plot - 6)
  const bar = Math.max(1, ((width - 38) * barMs) / range - (bars.length > 120 ? 0.5 : 1.5))
  const hovered = bars.find((b) => b.from === hover)
  const usual = bars.filter((b) => b.usual !== undefined)
  const sum = (of: 'events' | 'bad'): number => bars.reduce((n, b) => n + b[of], 0)
  return (
    <div className={classes.chart} ref={ref} style={{ height }}>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label={`${count(sum('events'))} ${words.events}, ${count(sum('bad'))} ${words.bad}`}>
          {[0, most].map((n) => (
            <text key={n} x={28} y={n === 0 ? plot : 10} textAnchor="end" className={classes.tick}>
              {short(n)}
            </text>
          ))}
          <line x1={34} x2={width - 4} y1={plot + 0.5} y2={plot + 0.5} className={classes.axis} />
          {bars.map((b) => (
            <g key={b.from} onPointerEnter={() => setHover(b.from)} onPointerLeave={() => setHover(null)} opacity={hovered && hovered !== b ? 0.65 : 1}>
              <rect x={x(b.from)} y={0} width={bar + 1} height={plot} fill="transparent" />
              {b.events > 0 && <rect x={x(b.from)} y={Math.min(y(b.events), plot - 1.5)} width={bar} height={Math.max(1.5, plot - y(b.events))} fill="var(--accent)" />}
              {b.bad > 0 && <rect x={x(b.from)} y={Math.min(y(b.events + b.bad), plot - 3)} width={bar} height={Math.max(3, y(b.events) - y(b.events + b.bad))} fill="var(--bad)" />}
            </g>
          ))}
          {usual.length > 1 && <polyline fill="none" stroke="var(--dim)" strokeDasharray="3 3" points={usual.map((b) => `${x(b.from) + bar / 2},${y(b.usual ?? 0)}`).join(' ')} />}
          {[0.02, 0.25, 0.5, 0.75, 0.98].map((part) => (
            <text key={part} x={x(first + part * range)} y={height - 4} textAnchor={part < 0.1 ? 'start' : part > 0.9 ? 'end' : 'middle'} className={classes.tick}>
              {tickLabel(first + part * range, range)}
            </text>
          ))}
        </svg>
      )}
      {hovered && (
        <div className={classes.tip} style={x(hovered.from) > width * 0.6 ? { right: width - x(hovered.from) + 8 } : { left: x(hovered.from) + bar + 8 }}>
          <strong>{barLabel(hovered.from, barMs)}</strong>
          <div className="row between">
            <span>{words.events}</span>
            {count(hovered.events)}
          </div>
          {hovered.bad > 0 && (
            <div className="row between">
              <span>{words.bad}</span>
              {count(hovered.bad)}
            </div>
          )}
          {hovered.usual !== undefined && (
            <div className="row between dim">
              <span>usual</span>
              {count(Math.round(hovered.usual))}
            </div>
          )}
        </div>
      )}
    </div>
  )
}
