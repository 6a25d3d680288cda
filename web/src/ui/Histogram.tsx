import { useElementSize } from '@mantine/hooks'
import { useState } from 'react'
import { count, short } from '@/lib/format'
import { SEVERITIES, type Severity } from '@/lib/severity'
import { barLabel, tickLabel } from '@/lib/time'
import classes from './charts.module.css'

export interface Bar {
  from: number
  by: Partial<Record<Severity, number>>
}

interface Props {
  bars: Bar[]
  width: number
  from: number
  to: number
  height?: number
  /** Called with both ends when a stretch was dragged. */
  onZoom?: (from: number, to: number) => void
  label: string
}

const LEFT = 40
const BOTTOM = 18

/** Events over time, stacked by severity. Drag to zoom. */
export function Histogram({ bars, width: barMs, from, to, height = 112, onZoom, label }: Props) {
  const { ref, width } = useElementSize<HTMLDivElement>()
  const [hover, setHover] = useState<number | null>(null)
  const [drag, setDrag] = useState<{ start: number; end: number } | null>(null)

  const plot = { left: LEFT, right: width - 4, top: 6, bottom: height - BOTTOM }
  const x = (at: number): number => plot.left + ((at - from) / (to - from)) * (plot.right - plot.left)
  const timeAt = (clientX: number, element: Element): number => {
    const within = clientX - element.getBoundingClientRect().left
    return from + (Math.min(plot.right, Math.max(plot.left, within)) - plot.left) / (plot.right - plot.left) * (to - from)
  }
  const total = (bar: Bar): number => SEVERITIES.reduce((sum, s) => sum + (bar.by[s] ?? 0), 0)
  const most = nice(Math.max(1, ...bars.map(total)))
  const y = (n: number): number => plot.bottom - (n / most) * (plot.bottom - plot.top)
  const barPixels = Math.max(1, ((plot.right - plot.left) * barMs) / (to - from))
  const gap = barPixels > 6 ? 1.5 : barPixels > 3 ? 1 : 0
  const hovered = hover === null ? undefined : bars.find((b) => hover >= b.from && hover < b.from + barMs)
  const ticks = timeTicks(from, to, Math.max(2, Math.floor(width / 130)))

  return (
    <div className={classes.chart} ref={ref} style={{ height }}>
      {width > 0 && (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={label}
          className={onZoom ? classes.zoomable : undefined}
          onPointerDown={(e) => {
            if (!onZoom || e.button !== 0) return
            e.currentTarget.setPointerCapture(e.pointerId)
            const at = timeAt(e.clientX, e.currentTarget)
            setDrag({ start: at, end: at })
          }}
          onPointerMove={(e) => {
            const at = timeAt(e.clientX, e.currentTarget)
            setHover(at)
            if (drag) setDrag({ ...drag, end: at })
          }}
          onPointerLeave={() => setHover(null)}
          onPointerUp={() => {
            if (drag && onZoom && Math.abs(x(drag.end) - x(drag.start)) > 5) onZoom(Math.min(drag.start, drag.end), Math.max(drag.start, drag.end))
            else if (drag && onZoom && hovered && barMs > 1000) onZoom(hovered.from, hovered.from + barMs)
            setDrag(null)
          }}
        >
          {[0.5, 1].filter((part) => Number.isInteger(most * part)).map((part) => (
            <g key={part}>
              <line x1={plot.left} x2={plot.right} y1={y(most * part)} y2={y(most * part)} className={classes.grid} />
              <text x={plot.left - 6} y={y(most * part) + 4} textAnchor="end" className={classes.tick}>
                {short(most * part)}
              </text>
            </g>
          ))}
          {bars.map((bar) => {
            let below = 0
            const left = Math.max(plot.left, x(bar.from))
            const right = Math.min(plot.right, x(bar.from + barMs))
            if (right <= left) return null
            return (
              <g key={bar.from} opacity={hovered && hovered !== bar ? 0.55 : 1}>
                {SEVERITIES.map((severity) => {
                  const n = bar.by[severity] ?? 0
                  if (n === 0) return null
                  const top = y(below + n)
                  const tall = Math.max(1, y(below) - top)
                  below += n
                  return <rect key={severity} x={left} y={top} width={Math.max(1, right - left - gap)} height={tall} fill={`var(--sev-${severity})`} />
                })}
              </g>
            )
          })}
          <line x1={plot.left} x2={plot.right} y1={plot.bottom + 0.5} y2={plot.bottom + 0.5} className={classes.axis} />
          {ticks.map((at) => (
            <text key={at} x={x(at)} y={height - 4} textAnchor="middle" className={classes.tick}>
              {tickLabel(at, to - from)}
            </text>
          ))}
          {drag && <rect x={Math.min(x(drag.start), x(drag.end))} y={plot.top} width={Math.abs(x(drag.end) - x(drag.start))} height={plot.bottom - plot.top} className={classes.drag} />}
        </svg>
      )}
      {hovered && !drag && (
        <div className={classes.tip} style={x(hovered.from) > width * 0.66 ? { right: width - x(hovered.from) + 8 } : { left: x(hovered.from + barMs) + 8 }}>
          <strong>{barLabel(hovered.from, barMs)}</strong>
          {[...SEVERITIES].reverse().map((s) =>
            hovered.by[s] ? (
              <div key={s} className="row between">
                <span className="row" style={{ gap: 6 }}>
                  <i style={{ background: `var(--sev-${s})` }} />
                  {s}
                </span>
                <span>{count(hovered.by[s])}</span>
              </div>
            ) : null,
          )}
          <div className="row between dim">
            <span>all</span>
            <span>{count(total(hovered))}</span>
          </div>
        </div>
      )}
    </div>
  )
}

/** The next number that reads well on an axis. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].find((s) => s * power >= value) ?? 10
  return Math.max(2, step * power)
}

/** Moments on whole minutes, hours or days, in the viewer's zone. */
function timeTicks(from: number, to: number, wanted: number): number[] {
  const minute = 60_000
  const steps = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 7200, 10080, 20160, 43200, 86400].map((m) => m * minute)
  const step = steps.find((s) => (to - from) / s <= wanted) ?? steps.at(-1) ?? minute
  const offset = new Date(from).getTimezoneOffset() * minute
  const ticks: number[] = []
  for (let at = Math.ceil((from - offset) / step) * step + offset; at < to - step * 0.2; at += step) if (at > from + (to - from) * 0.03) ticks.push(at)
  return ticks
}
