import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { RotateCcw } from 'lucide-react'
import { useCallback, useMemo } from 'react'
import * as ask from '@/api/queries'
import type { SetAsideGroup } from '@/api/types'
import { useMay } from '@/components/session'
import { count, plural } from '@/lib/format'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Ago } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { ReplayProgress } from './ReplayProgress'
import { useSettle } from './useSettle'

const COLUMNS: ReadonlyArray<TableColumn<SetAsideGroup>> = [
  { id: 'records', title: 'Records', width: 80, align: 'right', render: (g) => <strong>{count(g.records)}</strong> },
  { id: 'source', title: 'Source', width: 120, render: (g) => g.source },
  { id: 'kind', title: 'What is wrong', width: 330, grow: true, render: (g) => <span title={g.reason}>{g.kind}</span> },
  { id: 'example', title: 'The newest', width: 280, grow: true, render: (g) => <code title={g.example}>{g.example}</code> },
  { id: 'peers', title: 'From', width: 130, render: (g) => (g.peers === 1 && g.peer ? <code>{g.peer}</code> : g.peers > 1 ? plural(g.peers, 'address', 'addresses') : <span className="dim">—</span>) },
  { id: 'first', title: 'First', width: 100, render: (g) => <Ago at={g.first_at} /> },
  { id: 'last', title: 'Last', width: 100, render: (g) => <Ago at={g.last_at} /> },
]

/** What is set aside, in groups of one kind of reason: of all sources, or of one. */
export function Groups({ source, bar }: { source?: string; bar?: React.ReactNode }) {
  const [address, setAddress] = useAddress()
  const navigate = useNavigate()
  const may = useMay()
  const found = useInfiniteQuery(ask.setAsideGroups(source))
  const rows = useMemo(() => found.data?.pages.flatMap((p) => p.items) ?? [], [found.data])
  const nothing = useCallback(() => undefined, [])
  const { replay, fresh, question } = useSettle(nothing)
  const ended = useCallback(() => void fresh(), [fresh])
  return (
    <>
      {question}
      {found.error && <Failure of={found.error} again={() => void found.refetch()} />}
      {address.replay && <ReplayProgress key={address.replay} id={address.replay} close={() => setAddress({ replay: undefined })} ended={ended} />}
      <Listing
        bar={
          (bar || (source && rows.length > 0)) && (
            <>
              {bar}
              <span className="grow" />
              {source && rows.length > 0 && may('sources:write') && (
                <Button variant="default" leftSection={<RotateCcw size={14} />} onClick={() => void replay({ source })}>
                  Replay all of it
                </Button>
              )}
            </>
          )
        }
      >
        <DataTable
          name="set-aside-groups"
          columns={source ? COLUMNS.filter((c) => c.id !== 'source') : COLUMNS}
          rows={rows}
          rowKey={(g) => g.id}
          onOpen={(g) => void navigate({ to: `/set-aside/${g.id}` })}
          loading={found.isPending || found.isFetchingNextPage}
          more={found.hasNextPage}
          onMore={() => void found.fetchNextPage()}
          narrow={(g) => <TwoLines first={g.kind} aside={count(g.records)} second={<>{g.source} · last <Ago at={g.last_at} /></>} />}
          empty={
            !found.error && (
              <Empty title="Everything was understood">A record that can't be read is never lost: it appears here with its reason, and becomes an event once the mapping is mended.</Empty>
            )
          }
        />
      </Listing>
    </>
  )
}
