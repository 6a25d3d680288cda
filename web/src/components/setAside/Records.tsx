import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RotateCcw, Trash2, Wrench } from 'lucide-react'
import { useCallback, useMemo, useState } from 'react'
import * as ask from '@/api/queries'
import type { SetAside } from '@/api/types'
import { useMay } from '@/components/session'
import { count, plural } from '@/lib/format'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Chip, Fact, Facts } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { RecordView } from './RecordView'
import { ReplayProgress } from './ReplayProgress'
import { useSettle } from './useSettle'

const COLUMNS: ReadonlyArray<TableColumn<SetAside>> = [
  { id: 'received', title: 'Received', width: 150, render: (r) => <Time at={r.received_at} /> },
  { id: 'source', title: 'Source', width: 120, render: (r) => r.source },
  { id: 'reason', title: 'What is wrong', width: 300, grow: true, render: (r) => <span title={r.reason}>{r.reason}</span> },
  { id: 'field', title: 'Where', width: 120, render: (r) => (r.field ? <code>{r.field}</code> : r.offset != null ? `byte ${count(r.offset)}` : <span className="dim">—</span>) },
  { id: 'record', title: 'Record', width: 320, grow: true, render: (r) => <code title={r.record.slice(0, 400)}>{r.record.slice(0, 240)}</code> },
  { id: 'peer', title: 'From', width: 120, render: (r) => (r.peer ? <code>{r.peer}</code> : <span className="dim">—</span>) },
]

interface Props {
  filter: ask.SetAsideFilter
  bar?: React.ReactNode
  /** The mapping that reads a source; empty where there is none. */
  mappingOf: (source: string) => string
}

/** Records that were set aside, one a line; with a filter for open ones they can be chosen, replayed and discarded. */
export function Records({ filter, bar, mappingOf }: Props) {
  const [address, setAddress] = useAddress()
  const may = useMay()
  const open = filter.state === 'open'
  const writable = may('sources:write') && open
  const [chosen, setChosen] = useState<Set<string>>(new Set())
  const found = useInfiniteQuery(ask.setAside(filter))
  const rows = useMemo(() => found.data?.pages.flatMap((p) => p.items) ?? [], [found.data])
  const record = rows.find((r) => r.id === address.open)
  const settled = useCallback(() => setChosen(new Set()), [])
  const { replay, discard, fresh, question } = useSettle(settled)
  const ended = useCallback(() => void fresh(), [fresh])
  const ids = [...chosen]
  return (
    <>
      {question}
      {found.error && <Failure of={found.error} again={() => void found.refetch()} />}
      {address.replay && <ReplayProgress key={address.replay} id={address.replay} close={() => setAddress({ replay: undefined })} ended={ended} />}
      <Listing
        bar={
          (bar || writable) && (
            <>
              {bar}
              <span className="grow" />
              {writable && ids.length === 0 && <span className="dim wide-only">Tick records to replay or discard a few of them.</span>}
              {writable && ids.length > 0 && (
                <>
                  <Button leftSection={<RotateCcw size={14} />} onClick={() => void replay({ ids })}>
                    Replay {count(ids.length)}
                  </Button>
                  <Button variant="default" leftSection={<Trash2 size={14} />} onClick={() => discard({ ids })}>
                    Discard {count(ids.length)}
                  </Button>
                </>
              )}
            </>
          )
        }
      >
        <DataTable
          name="set-aside"
          columns={filter.group ? COLUMNS.filter((c) => c.id !== 'source') : COLUMNS}
          rows={rows}
          rowKey={(r) => r.id}
          open={address.open}
          onOpen={(r) => setAddress({ open: r.id })}
          onClose={() => setAddress({ open: undefined })}
          chosen={chosen}
          onChoose={writable ? setChosen : undefined}
          loading={found.isPending || found.isFetchingNextPage}
          more={found.hasNextPage}
          onMore={() => void found.fetchNextPage()}
          narrow={(r) => <TwoLines first={r.reason} aside={<Ago at={r.received_at} />} second={<code>{r.record.slice(0, 120)}</code>} />}
          empty={!found.error && <Empty title={open ? 'Nothing of it is open any more' : `Nothing was ${filter.state} yet`} />}
        />
      </Listing>
      {record && (
        <SidePanel label="Record" title={record.reason} onClose={() => setAddress({ open: undefined })}>
          <div className="row wrap">
            {record.state === 'open' && mappingOf(record.source) && (
              <Button leftSection={<Wrench size={14} />} component={Link} to={`/mappings/${mappingOf(record.source)}`} {...({ search: { record: record.id } } as object)}>
                Mend the mapping
              </Button>
            )}
            {writable && (
              <>
                <Button variant="default" leftSection={<RotateCcw size={14} />} onClick={() => void replay({ ids: [record.id] })}>
                  Replay
                </Button>
                <Button variant="default" leftSection={<Trash2 size={14} />} onClick={() => discard({ ids: [record.id] })}>
                  Discard
                </Button>
              </>
            )}
          </div>
          <Facts>
            <Fact name="What is wrong">{record.reason}</Fact>
            <Fact name="Where">
              {record.field ? <code>{record.field}</code> : record.offset != null ? `at ${plural(record.offset, 'byte')} from the start` : <span className="dim">in the record as a whole</span>}
            </Fact>
            <Fact name="Kind">
              <Chip>{record.code}</Chip>
            </Fact>
            <Fact name="Source">{record.source}</Fact>
            <Fact name="Received">
              <Time at={record.received_at} />
            </Fact>
            {record.peer && (
              <Fact name="From">
                <code>{record.peer}</code>
              </Fact>
            )}
            {record.settled_at && (
              <Fact name={record.state}>
                <Time at={record.settled_at} /> by {record.settled_by}
                {record.settled_why && `: ${record.settled_why}`}
              </Fact>
            )}
          </Facts>
          <RecordView key={record.id} record={record} />
        </SidePanel>
      )}
    </>
  )
}
