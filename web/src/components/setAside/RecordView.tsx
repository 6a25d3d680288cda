import { SegmentedControl } from '@mantine/core'
import { useState } from 'react'
import type { SetAside } from '@/api/types'
import { bytes as size } from '@/lib/format'
import { around, bytesOf, hexRows } from '@/lib/hex'
import { CopyButton } from '@/ui/Copy'
import classes from './RecordView.module.css'

const HEX_ROWS_MAX = 512

/** A record as it came in: as text with the place marked where it can't be read, and byte by byte where it is not only text. */
export function RecordView({ record }: { record: SetAside }) {
  const exact = record.record_base64 ?? null
  const [view, setView] = useState<'text' | 'hex'>(exact === null ? 'text' : 'hex')
  const bytes = exact === null ? new TextEncoder().encode(record.record) : bytesOf(exact)
  return (
    <div>
      <div className="row between wrap">
        <span className="row">
          <strong>Record</strong>
          <span className="dim small">{size(record.size_bytes)}</span>
        </span>
        <span className="row">
          <SegmentedControl
            aria-label="How to show the record"
            value={view}
            onChange={(v) => setView(v as 'text' | 'hex')}
            data={[
              { value: 'text', label: 'Text' },
              { value: 'hex', label: 'Bytes' },
            ]}
          />
          <CopyButton value={record.record} label="Copy the record as text" />
        </span>
      </div>
      {exact !== null && view === 'text' && <p className="dim small">Not all of it is text. What can't be shown stands here as a mark; the bytes are kept as they came.</p>}
      {view === 'text' ? <Text record={record} /> : <Hex bytes={bytes} offset={record.offset ?? undefined} />}
    </div>
  )
}

function Text({ record }: { record: SetAside }) {
  // The place counts bytes of the record; where it is not text through and through, the bytes show it.
  const place = record.offset != null && record.record_base64 == null ? around(record.record, record.offset) : null
  return (
    <pre className={classes.text}>
      {place ? (
        <>
          {place.before}
          <mark title={record.reason}>{place.at === '' || place.at === '\n' ? '⏎' : place.at}</mark>
          {place.after}
        </>
      ) : (
        record.record
      )}
    </pre>
  )
}

function Hex({ bytes, offset }: { bytes: Uint8Array; offset?: number }) {
  const rows = hexRows(bytes, HEX_ROWS_MAX)
  return (
    <div className={classes.hex} role="table" aria-label="The record, byte by byte" tabIndex={0}>
      {rows.map((row, n) => (
        <div key={row.offset} role="row">
          <span role="cell" className="dim">
            {row.offset}
          </span>
          <span role="cell" className={classes.bytes}>
            {row.bytes.map((b, i) => (
              <span key={i} data-here={offset === n * 16 + i || undefined}>
                {b}
              </span>
            ))}
          </span>
          <span role="cell">{row.text}</span>
        </div>
      ))}
      {bytes.length > HEX_ROWS_MAX * 16 && <div className="dim">… {size(bytes.length - HEX_ROWS_MAX * 16)} more; download the group to see them</div>}
    </div>
  )
}
