import { Skeleton } from '@mantine/core'
import { useLocalStorage, useMediaQuery } from '@mantine/hooks'
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { useEffect, useRef } from 'react'
import classes from './DataTable.module.css'
import { useKeys } from './keys'

export interface TableColumn<R> {
  id: string
  title: string
  /** Pixels; the columns with `grow` share what is left. */
  width: number
  grow?: boolean
  align?: 'right'
  /** The order this column can be put into: null for none. */
  sort?: boolean
  render: (row: R) => React.ReactNode
}

interface Props<R> {
  /** Names the table for screen readers, and keeps the widths its columns were dragged to. */
  name: string
  columns: ReadonlyArray<TableColumn<R>>
  rows: R[]
  rowKey: (row: R) => string
  /** The key of the row that is open. */
  open?: string
  onOpen?: (row: R) => void
  onClose?: () => void
  /** A row on a narrow screen: up to two lines. */
  narrow?: (row: R) => React.ReactNode
  loading?: boolean
  more?: boolean
  onMore?: () => void
  empty?: React.ReactNode
  sort?: { column: string; descending: boolean }
  onSort?: (column: string) => void
  chosen?: ReadonlySet<string>
  onChoose?: (keys: Set<string>) => void
  /** Marks a row: what came in live, what is unread. */
  mark?: (row: R) => 'new' | 'strong' | undefined
}

/** Rows of 32 px under a head that stays; only what is in sight is drawn. j and k walk, Enter opens, Esc closes. */
export function DataTable<R>(props: Props<R>) {
  const { name, columns, rows, rowKey, open, onOpen, onClose, narrow, loading, more, onMore } = props
  const scroller = useRef<HTMLDivElement>(null)
  const slim = useMediaQuery('(max-width: 720px)') && narrow !== undefined
  const [widths, setWidths] = useLocalStorage<Record<string, number>>({ key: `belfry-widths-${name}`, defaultValue: {} })
  const rowHeight = slim ? 56 : 32
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const items = virtual.getVirtualItems()
  const lastIndex = items.at(-1)?.index ?? 0

  useEffect(() => virtual.measure(), [rowHeight, virtual])
  useEffect(() => {
    if (more && !loading && rows.length > 0 && lastIndex >= rows.length - 20) onMore?.()
  }, [more, loading, lastIndex, rows.length, onMore])

  const at = open === undefined ? -1 : rows.findIndex((r) => rowKey(r) === open)
  const step = (by: number) => (): void => {
    if (!onOpen || rows.length === 0) return
    const next = Math.min(rows.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by))
    const row = rows[next]
    if (row) onOpen(row)
    virtual.scrollToIndex(next, { align: 'auto' })
  }
  const walk = { down: step(1), up: step(-1) }
  useKeys(onOpen ? { j: walk.down, k: walk.up, ArrowDown: walk.down, ArrowUp: walk.up, Enter: () => at < 0 && walk.down(), Escape: () => onClose?.() } : {})

  const width = (c: TableColumn<R>): number => widths[c.id] ?? c.width
  const template = [props.onChoose ? '32px' : '', ...columns.map((c) => (c.grow && widths[c.id] === undefined ? `minmax(${c.width}px, 1fr)` : `${width(c)}px`))].filter(Boolean).join(' ')
  const least = columns.reduce((sum, c) => sum + width(c), props.onChoose ? 32 : 0)

  const resize = (c: TableColumn<R>) => (e: React.PointerEvent<HTMLSpanElement>): void => {
    e.preventDefault()
    e.stopPropagation()
    const cell = e.currentTarget.parentElement
    const start = { x: e.clientX, width: cell?.offsetWidth ?? c.width }
    const move = (to: PointerEvent): void => setWidths((w) => ({ ...w, [c.id]: Math.max(48, Math.round(start.width + to.clientX - start.x)) }))
    const end = (): void => {
      window.removeEventListener('pointermove', move)
      window.removeEventListener('pointerup', end)
    }
    window.addEventListener('pointermove', move)
    window.addEventListener('pointerup', end)
  }

  const all = props.chosen !== undefined && rows.length > 0 && rows.every((r) => props.chosen?.has(rowKey(r)))
  const toggle = (keys: string[], on: boolean): void => {
    const next = new Set(props.chosen)
    keys.forEach((k) => (on ? next.add(k) : next.delete(k)))
    props.onChoose?.(next)
  }

  return (
    <div className={classes.scroller} ref={scroller} tabIndex={0} role="grid" aria-label={name} aria-rowcount={rows.length} aria-busy={loading || undefined} data-slim={slim || undefined}>
      {!slim && (
        <div className={classes.head} role="row" style={{ gridTemplateColumns: template, minWidth: least }}>
          {props.onChoose && (
            <span className={classes.choice} role="columnheader">
              <input type="checkbox" aria-label="Choose all" checked={all} onChange={(e) => toggle(rows.map(rowKey), e.currentTarget.checked)} />
            </span>
          )}
          {columns.map((c) => (
            <span key={c.id} role="columnheader" className={classes.title} data-align={c.align} aria-sort={props.sort?.column === c.id ? (props.sort.descending ? 'descending' : 'ascending') : undefined}>
              {c.sort && props.onSort ? (
                <button type="button" className="plain row" style={{ gap: 4 }} onClick={() => props.onSort?.(c.id)}>
                  {c.title}
                  {props.sort?.column === c.id && (props.sort.descending ? <ArrowDown size={12} /> : <ArrowUp size={12} />)}
                </button>
              ) : (
                <span className="clip">{c.title}</span>
              )}
              <span className={classes.grip} onPointerDown={resize(c)} aria-hidden="true" />
            </span>
          ))}
        </div>
      )}
      <div className={classes.body} style={{ height: virtual.getTotalSize(), minWidth: slim ? undefined : least }}>
        {items.map((item) => {
          const row = rows[item.index]
          if (row === undefined) return null
          const key = rowKey(row)
          return (
            <div
              key={key}
              role="row"
              aria-rowindex={item.index + 1}
              aria-selected={key === open || undefined}
              className={classes.row}
              data-link={onOpen ? true : undefined}
              data-open={key === open || undefined}
              data-mark={props.mark?.(row)}
              style={{ transform: `translateY(${item.start}px)`, height: rowHeight, gridTemplateColumns: slim ? '1fr' : template }}
              onClick={() => {
                // Marking text with the mouse is not a click.
                if (window.getSelection()?.toString()) return
                onOpen?.(row)
              }}
            >
              {props.onChoose && !slim && (
                <span className={classes.choice} role="gridcell" onClick={(e) => e.stopPropagation()}>
                  <input type="checkbox" aria-label="Choose" checked={props.chosen?.has(key) ?? false} onChange={(e) => toggle([key], e.currentTarget.checked)} />
                </span>
              )}
              {slim
                ? narrow(row)
                : columns.map((c) => (
                    <span key={c.id} role="gridcell" className={classes.cell} data-align={c.align}>
                      {c.render(row)}
                    </span>
                  ))}
            </div>
          )
        })}
      </div>
      {loading && (
        <div className={classes.loading} aria-hidden="true">
          {Array.from({ length: rows.length === 0 ? 14 : 3 }, (_, i) => (
            <div key={i} style={{ height: rowHeight }} className={classes.ghost}>
              <Skeleton height={10} width={`${30 + ((i * 37) % 55)}%`} />
            </div>
          ))}
        </div>
      )}
      {!loading && rows.length === 0 && props.empty && (
        <div role="row">
          <div role="gridcell">{props.empty}</div>
        </div>
      )}
    </div>
  )
}

/** Two lines of a narrow row. */
export function TwoLines({ first, aside, second }: { first: React.ReactNode; aside?: React.ReactNode; second: React.ReactNode }) {
  return (
    <span role="gridcell" className={classes.two}>
      <span className={classes.line}>
        <span className="clip grow">{first}</span>
        {aside && <span className="dim small">{aside}</span>}
      </span>
      <span className={`${classes.line} dim small`}>
        <span className="clip grow">{second}</span>
      </span>
    </span>
  )
}
