import { SegmentedControl } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { EventDetail } from '@/api/types'
import { textAt } from '@/lib/record'
import { CopyButton } from '@/ui/Copy'
import { Json } from '@/ui/Json'
import classes from './tabs.module.css'

/** The record as it came in, byte for byte, the mapping that read it, and the event as it is kept. */
export function RecordTab({ detail }: { detail: EventDetail }) {
  const original = textAt(detail.event, 'event.original')
  const [view, setView] = useState(original === '' ? 'event' : 'original')
  const mapping = textAt(detail.event, 'event.mapping').split('@')
  const pretty = indent(original)
  const text = view === 'event' ? JSON.stringify(detail.event, null, 2) : view === 'pretty' ? pretty : original
  return (
    <div className="stack">
      <div className="row between wrap">
        <SegmentedControl
          value={view}
          onChange={setView}
          data={[...(original === '' ? [] : [{ value: 'original', label: 'As it came in' }]), ...(pretty === original ? [] : [{ value: 'pretty', label: 'Indented' }]), { value: 'event', label: 'As it is kept' }]}
        />
        <span className="row">
          <span className="dim small">
            {mapping[0] ? (
              <>
                read by <Link to={`/mappings/${mapping[0]}`}>{mapping[0]}</Link> {mapping[1] ? `version ${mapping[1]}` : ''}
              </>
            ) : (
              'sent as an event, no mapping'
            )}
          </span>
          <CopyButton value={text} label="Copy the record" />
        </span>
      </div>
      {view === 'original' ? <pre className={classes.verbatim}>{original}</pre> : <Json value={text} />}
    </div>
  )
}

function indent(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
