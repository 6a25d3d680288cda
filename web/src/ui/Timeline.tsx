import { useElementSize } from '@mantine/hooks'
import { useState } from 'react'
import { count } from '@/lib/format'
import { DAY, barLabel, tickLabel } from '@/lib/time'
import { nice } from './Histogram'
import classes from './charts.module.css'

/** What a rule would have sent and held back, day by day. Sent stands on the line, held hangs under it. */
export function Timeline({ days, from, to, height = 110 }: { days: Array<{ from: number; sent: number; held: number }>; from: number; to: number; height?: number }) {
  const { ref, width } = useElementSize<HTMLDivElement>()
  const [hover, setHover] = useState<number | null>(null)
  const most = { sent: nice(Math.max(1, ...days.map((d) => d.sent))), held: nice(Math.max(1, ...days.map((d) => d.held))) }
  const middle = Math.round(height * 0.55)
  const x = (at: number): number => 4 + ((at - from) / (to - from)) * (width - 8)
  const bar = Math.max(2, ((width - 8) * DAY) / (to - from) - 2)
  const hovered = days.find((d) => d.from === hover)
  return (
    <div className={classes.chart} ref={ref} style={{ height }}>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label={`Sent ${count(days.reduce((n, d) => n + d.sent, 0))}, held back ${count(days.reduce((n, d) => n + d.held, 0))}, by day`}>
          {days.map((d) => (
            <g key={d.from} onPointerEnter={() => setHover(d.from)} onPointerLeave={() => setHover(null)} opacity={hovered && hovered !== d ? 0.6 : 1}>
              <rect x={x(d.from)} y={0} width={bar + 2} height={height - 18} fill="transparent" />
              <rect x={x(d.from)} y={middle - Math.max(d.sent ? 2 : 0, (d.sent / most.sent) * (middle - 6))} width={bar} height={Math.max(d.sent ? 2 : 0, (d.sent / most.sent) * (middle - 6))} fill="var(--accent)" />
              <rect x={x(d.from)} y={middle + 1} width={bar} height={Math.max(d.held ? 2 : 0, (d.held / most.held) * (height - middle - 22))} fill="var(--line-strong)" />
            </g>
          ))}
          <line x1={0} x2={width} y1={middle + 0.5} y2={middle + 0.5} className={classes.axis} />
          {[0.02, 0.25, 0.5, 0.75, 0.98].map((part) => (
            <text key={part} x={x(from + part * (to - from))} y={height - 4} textAnchor={part < 0.1 ? 'start' : part > 0.9 ? 'end' : 'middle'} className={classes.tick}>
              {tickLabel(from + part * (to - from), to - from)}
            </text>
          ))}
        </svg>
      )}
      {hovered && (
        <div className={classes.tip} style={x(hovered.from) > width * 0.66 ? { right: width - x(hovered.from) + 8 } : { left: x(hovered.from) + bar + 8 }}>
          <strong>{barLabel(hovered.from, DAY)}</strong>
          <div className="row between">
            <span className="row" style={{ gap: 6 }}>
              <i style={{ background: 'var(--accent)' }} />
              sent
            </span>
            {count(hovered.sent)}
          </div>
          <div className="row between">
            <span className="row" style={{ gap: 6 }}>
              <i style={{ background: 'var(--line-strong)' }} />
              held back
            </span>
            {count(hovered.held)}
          </div>
        </div>
      )}
    </div>
  )
}
