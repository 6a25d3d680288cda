import { Button, Popover, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { CalendarClock, ChevronDown } from 'lucide-react'
import { useState } from 'react'
import { PRESETS, fromLocalInput, rangeLabel, span, toLocalInput, type Range } from '@/lib/range'
import { utc } from '@/lib/time'
import classes from './RangePicker.module.css'

/** A range of time: one of the usual ones, or two moments. */
export function RangePicker({ value, onChange }: { value: Range; onChange: (range: Range) => void }) {
  const [open, panel] = useDisclosure(false)
  const choose = (range: Range): void => {
    onChange({ from: range.from, to: range.to })
    panel.close()
  }
  return (
    <Popover opened={open} onChange={(o) => (o ? panel.open() : panel.close())} position="bottom-end" trapFocus>
      <Popover.Target>
        <Button variant="default" h={36} size="sm" fw={500} fz={13} leftSection={<CalendarClock size={15} />} rightSection={<ChevronDown size={14} />} onClick={panel.toggle} aria-label={`Time range: ${rangeLabel(value)}`} className={classes.button}>
          {rangeLabel(value)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p={0}>{open && <Choice value={value} choose={choose} />}</Popover.Dropdown>
    </Popover>
  )
}

function Choice({ value, choose }: { value: Range; choose: (range: Range) => void }) {
  const [now] = useState(() => Date.now())
  const both = span(value, now)
  const [from, setFrom] = useState(toLocalInput(both.from))
  const [to, setTo] = useState(toLocalInput(both.to))
  const exact = { from: fromLocalInput(from), to: fromLocalInput(to) }
  const wrong = exact.from === null || exact.to === null ? 'Both ends are needed' : exact.from >= exact.to ? 'The end must be after the start' : null
  return (
    <div className={classes.panel}>
      <ul className={classes.presets} aria-label="Usual ranges">
        {PRESETS.map((p) => (
          <li key={p.label}>
            <button type="button" data-chosen={(p.from === value.from && p.to === value.to) || undefined} onClick={() => choose(p)}>
              {p.label}
            </button>
          </li>
        ))}
      </ul>
      <form
        className={classes.exact}
        onSubmit={(e) => {
          e.preventDefault()
          if (exact.from && exact.to && !wrong) choose({ from: exact.from, to: exact.to })
        }}
      >
        <strong>Between two moments</strong>
        <TextInput type="datetime-local" step={1} label="From" value={from} onChange={(e) => setFrom(e.currentTarget.value)} />
        <TextInput type="datetime-local" step={1} label="To" value={to} onChange={(e) => setTo(e.currentTarget.value)} error={wrong} />
        <div className="dim small">
          {exact.from && <div>{utc(exact.from)}</div>}
          {exact.to && <div>{utc(exact.to)}</div>}
        </div>
        <Button type="submit" disabled={wrong !== null}>
          Use this range
        </Button>
      </form>
    </div>
  )
}
