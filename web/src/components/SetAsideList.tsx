import { Button, SegmentedControl } from '@mantine/core'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RotateCcw, Trash2, Wrench } from 'lucide-react'
import { useMemo, useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { SetAside } from '@/api/types'
import { count, plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { CopyButton } from '@/ui/Copy'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Chip, Fact, Facts } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done, failed } from '@/ui/toast'
import classes from './SetAsideList.module.css'
import { useMay } from './session'

const COLUMNS: ReadonlyArray<TableColumn<SetAside>> = [
  { id: 'received', title: 'Received', width: 150, render: (r) => <Time at={r.received_at} /> },
  { id: 'source', title: 'Source', width: 110, render: (r) => r.source },
  { id: 'code', title: 'Kind', width: 110, render: (r) => <Chip>{r.code}</Chip> },
  { id: 'reason', title: 'Why', width: 300, grow: true, render: (r) => <span title={r.reason}>{r.reason}</span> },
  { id: 'field', title: 'Field', width: 130, render: (r) => (r.field ? <code>{r.field}</code> : <span className="dim">—</span>) },
  { id: 'record', title: 'Record', width: 320, grow: true, render: (r) => <code title={r.record.slice(0, 400)}>{r.record.slice(0, 240)}</code> },
]

/** Records that could not be understood: why, and what to do about them. `mappingOf` names the mapping of a source, if it has one. */
export function SetAsideList({ source, mappingOf }: { source?: string; mappingOf: (source: string) => string }) {
  const [address, setAddress] = useAddress()
  const state = address.state ?? 'open'
  const client = useQueryClient()
  const may = useMay()
  const writable = may('sources:write')
  const [chosen, setChosen] = useState<Set<string>>(new Set())
  const [asking, question] = useAsk()
  const found = useInfiniteQuery(ask.setAside(source, state))
  const rows = useMemo(() => found.data?.pages.flatMap((p) => p.items) ?? [], [found.data])
  const groups = (found.data?.pages[0]?.groups ?? []).filter((g) => !source || g.source === source)
  const open = rows.find((r) => r.id === address.open)
  const fresh = async (): Promise<void> => {
    setChosen(new Set())
    await Promise.all([client.invalidateQueries({ queryKey: ask.key('set-aside') }), client.invalidateQueries({ queryKey: ask.key('sources') })])
  }
  const replay = async (what: { ids: string[] } | { source: string }): Promise<void> => {
    try {
      const { replayed, still_set_aside } = await answer(http.POST('/api/v1/set-aside/replay', { body: what }))
      done(`${plural(replayed, 'record')} became events`, still_set_aside > 0 ? `${count(still_set_aside)} still can't be understood.` : 'Nothing is left.')
      setAddress({ open: undefined })
    } catch (failure) {
      failed(failure)
    }
    await fresh()
  }
  const discard = (ids: string[]): void =>
    asking({
      title: `Discard ${plural(ids.length, 'record')}?`,
      text: 'They will not become events. They stay on record as discarded, with your reason.',
      action: 'Discard',
      reason: true,
      run: async (reason) => {
        await answer(http.POST('/api/v1/set-aside/discard', { body: { ids, reason } }))
        setAddress({ open: undefined })
        await fresh()
      },
    })
  const ids = [...chosen]
  return (
    <>
      {question}
      {found.error && <Failure of={found.error} again={() => void found.refetch()} />}
      {groups.length > 0 && state === 'open' && (
        <ul className={classes.groups} aria-label="Reasons">
          {groups.map((g) => (
            <li key={`${g.source} ${g.code}`}>
              <strong>{count(g.records)}</strong>
              <span className="grow">
                <span className="dim">{g.source} · </span>
                {g.reason}
                <span className="dim small">
                  {' '}
                  · last <Ago at={g.last_at} />
                </span>
              </span>
              {mappingOf(g.source) && <Link to={`/mappings/${mappingOf(g.source)}`}>mend the mapping</Link>}
            </li>
          ))}
        </ul>
      )}
      <Listing
        bar={
          <>
            <SegmentedControl
              value={state}
              onChange={(v) => {
                setChosen(new Set())
                setAddress({ state: v === 'open' ? undefined : v, open: undefined })
              }}
              data={[
                { value: 'open', label: 'Open' },
                { value: 'replayed', label: 'Replayed' },
                { value: 'discarded', label: 'Discarded' },
              ]}
            />
            <span className="grow" />
            {writable && state === 'open' && ids.length > 0 && (
              <>
                <Button leftSection={<RotateCcw size={14} />} onClick={() => void replay({ ids })}>
                  Replay {count(ids.length)}
                </Button>
                <Button variant="default" leftSection={<Trash2 size={14} />} onClick={() => discard(ids)}>
                  Discard {count(ids.length)}
                </Button>
              </>
            )}
            {writable && state === 'open' && ids.length === 0 && source && rows.length > 0 && (
              <Button variant="default" leftSection={<RotateCcw size={14} />} onClick={() => void replay({ source })}>
                Replay all
              </Button>
            )}
          </>
        }
      >
        <DataTable
          name="set-aside"
          columns={COLUMNS}
          rows={rows}
          rowKey={(r) => r.id}
          open={address.open}
          onOpen={(r) => setAddress({ open: r.id })}
          onClose={() => setAddress({ open: undefined })}
          chosen={chosen}
          onChoose={writable && state === 'open' ? setChosen : undefined}
          loading={found.isPending || found.isFetchingNextPage}
          more={found.hasNextPage}
          onMore={() => void found.fetchNextPage()}
          narrow={(r) => <TwoLines first={r.reason} aside={<Ago at={r.received_at} />} second={<code>{r.record.slice(0, 120)}</code>} />}
          empty={
            !found.error && (
              <Empty title={state === 'open' ? 'Everything was understood' : `Nothing was ${state} yet`}>
                {state === 'open' ? 'A record that can\'t be read is never lost: it appears here with its reason, and can be replayed after the mapping is mended.' : undefined}
              </Empty>
            )
          }
        />
      </Listing>
      {open && (
        <SidePanel label="Record" title={open.reason} onClose={() => setAddress({ open: undefined })}>
          <div className="row wrap">
            {writable && open.state === 'open' && (
              <>
                <Button leftSection={<RotateCcw size={14} />} onClick={() => void replay({ ids: [open.id] })}>
                  Replay
                </Button>
                <Button variant="default" leftSection={<Trash2 size={14} />} onClick={() => discard([open.id])}>
                  Discard
                </Button>
              </>
            )}
            {mappingOf(open.source) && (
              <Button variant="default" leftSection={<Wrench size={14} />} component={Link} to={`/mappings/${mappingOf(open.source)}`} {...({ search: { record: open.id } } as object)}>
                Try it in the mapping
              </Button>
            )}
          </div>
          <Facts>
            <Fact name="Source">{open.source}</Fact>
            <Fact name="Received">
              <Time at={open.received_at} />
            </Fact>
            <Fact name="From">{open.peer ? <code>{open.peer}</code> : <span className="dim">unknown</span>}</Fact>
            <Fact name="Kind">{open.code}</Fact>
            {open.field && (
              <Fact name="Field">
                <code>{open.field}</code>
              </Fact>
            )}
            {open.settled_at && (
              <Fact name={open.state === 'discarded' ? 'Discarded' : 'Replayed'}>
                <Time at={open.settled_at} /> {open.settled_by && `by ${open.settled_by}`}
                {open.settled_why && `: ${open.settled_why}`}
              </Fact>
            )}
          </Facts>
          <div>
            <div className="row between">
              <strong>The record, as it came in</strong>
              <CopyButton value={open.record_base64 ?? open.record} label="Copy the record" />
            </div>
            <pre className={classes.record}>{open.record}</pre>
            {open.record_base64 && <p className="dim small">It is not UTF-8. The copy is base64 of its exact bytes.</p>}
          </div>
        </SidePanel>
      )}
    </>
  )
}
