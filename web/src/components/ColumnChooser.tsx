import { ActionIcon, Button, Popover, TextInput } from '@mantine/core'
import { ArrowDown, ArrowUp, Columns3, GripVertical, Plus, X } from 'lucide-react'
import { useState } from 'react'
import classes from './ColumnChooser.module.css'

interface Props {
  /** Ids of the columns that are shown, in order. */
  value: string[]
  onChange: (columns: string[]) => void
  available: Array<{ id: string; title: string }>
  standard?: string[]
}

/** Chooses and orders columns: by drag, or with the arrow keys on a handle. */
export function ColumnList({ value, onChange, available, standard }: Props) {
  const [find, setFind] = useState('')
  const [dragged, setDragged] = useState<number | null>(null)
  const title = (id: string): string => available.find((a) => a.id === id)?.title ?? id
  const move = (from: number, to: number): void => {
    if (to < 0 || to >= value.length || from === to) return
    const next = [...value]
    const [moved] = next.splice(from, 1)
    if (moved !== undefined) next.splice(to, 0, moved)
    onChange(next)
  }
  const rest = available.filter((a) => !value.includes(a.id) && `${a.title} ${a.id}`.toLowerCase().includes(find.toLowerCase()))
  return (
    <div className={classes.lists}>
      <ul className={classes.list} aria-label="Columns shown">
        {value.map((id, i) => (
          <li
            key={id}
            draggable
            data-dragged={dragged === i || undefined}
            onDragStart={(e) => {
              e.dataTransfer.effectAllowed = 'move'
              setDragged(i)
            }}
            onDragOver={(e) => {
              e.preventDefault()
              if (dragged === null || dragged === i) return
              move(dragged, i)
              setDragged(i)
            }}
            onDragEnd={() => setDragged(null)}
          >
            <button
              type="button"
              className={`plain ${classes.handle}`}
              aria-label={`${title(id)}, column ${i + 1} of ${value.length}. Arrow keys move it.`}
              onKeyDown={(e) => {
                if (e.key !== 'ArrowUp' && e.key !== 'ArrowDown') return
                e.preventDefault()
                move(i, i + (e.key === 'ArrowUp' ? -1 : 1))
              }}
            >
              <GripVertical size={14} />
            </button>
            <span className="grow clip" title={id}>
              {title(id)}
            </span>
            <ActionIcon size={22} aria-label={`Move ${title(id)} up`} disabled={i === 0} onClick={() => move(i, i - 1)}>
              <ArrowUp size={13} />
            </ActionIcon>
            <ActionIcon size={22} aria-label={`Move ${title(id)} down`} disabled={i === value.length - 1} onClick={() => move(i, i + 1)}>
              <ArrowDown size={13} />
            </ActionIcon>
            <ActionIcon size={22} aria-label={`Leave out ${title(id)}`} disabled={value.length === 1} onClick={() => onChange(value.filter((v) => v !== id))}>
              <X size={13} />
            </ActionIcon>
          </li>
        ))}
      </ul>
      <TextInput size="xs" placeholder="Add a column…" aria-label="Find a column to add" value={find} onChange={(e) => setFind(e.currentTarget.value)} />
      <ul className={`${classes.list} ${classes.rest}`} aria-label="Columns to add">
        {rest.map((a) => (
          <li key={a.id}>
            <button type="button" className={`plain row grow ${classes.add}`} onClick={() => onChange([...value, a.id])} title={a.id}>
              <Plus size={13} />
              <span className="clip grow">{a.title}</span>
              <code className="dim clip">{a.id === a.title ? '' : a.id}</code>
            </button>
          </li>
        ))}
        {rest.length === 0 && <li className="dim small">No other column is called that.</li>}
      </ul>
      {standard && (
        <Button variant="subtle" size="compact-xs" onClick={() => onChange(standard)} style={{ alignSelf: 'flex-start' }}>
          Back to the usual columns
        </Button>
      )}
    </div>
  )
}

export function ColumnChooser(props: Props) {
  return (
    <Popover position="bottom-end" trapFocus>
      <Popover.Target>
        <Button variant="default" leftSection={<Columns3 size={14} />}>
          Columns
        </Button>
      </Popover.Target>
      <Popover.Dropdown w={340} p={8}>
        <ColumnList {...props} />
      </Popover.Dropdown>
    </Popover>
  )
}
