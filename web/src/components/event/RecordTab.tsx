import { Button, SegmentedControl } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { EventDetail } from '@/api/types'
import { count } from '@/lib/format'
import { leaves, show, textAt, type EventRecord } from '@/lib/record'
import { CopyButton } from '@/ui/Copy'
import { Json } from '@/ui/Json'
import { Value } from './SummaryTab'
import classes from './tabs.module.css'

const FIELDS_SHOWN = 60

/** The record as it came in, byte for byte, the mapping that read it, and the event as it is kept. */
export function RecordTab({ detail, onValue }: { detail: EventDetail; onValue: (field: string, value: string, without: boolean) => void }) {
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
      <Native of={detail} onValue={onValue} />
    </div>
  )
}

/** The fields that the product itself uses, under its own names; each value is a filter. */
function Native({ of, onValue }: { of: EventDetail; onValue: (field: string, value: string, without: boolean) => void }) {
  const [shown, setShown] = useState(FIELDS_SHOWN)
  const native = of.native
  if (typeof native !== 'object' || native === null) return null
  const fields = leaves(native as EventRecord).filter((l) => show(l.value) !== '')
  if (fields.length === 0) return null
  return (
    <section className={classes.group}>
      <h3>The product's own fields</h3>
      <dl>
        {fields.slice(0, shown).map((l) => (
          <div key={l.name} className={classes.field}>
            <dt title={`native.${l.name}`}>
              <code>{l.name}</code>
            </dt>
            <dd>
              <Value name={`native.${l.name}`} value={l.value} onValue={onValue} />
            </dd>
          </div>
        ))}
      </dl>
      {fields.length > shown && (
        <Button variant="default" size="compact-xs" onClick={() => setShown(fields.length)}>
          All {count(fields.length)} fields
        </Button>
      )}
      <p className="dim small">
        Decoded from the record. In filters and rules they stand under <code>native.</code>; a click searches for a value, an alt-click leaves it out.
      </p>
    </section>
  )
}

function indent(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
