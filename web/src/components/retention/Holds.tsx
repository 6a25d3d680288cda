import { Button, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { LockOpen, Plus } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Hold } from '@/api/types'
import { abbreviate } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { CopyText } from '@/ui/Copy'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { KqlBar } from '../KqlBar'
import { useMay } from '../session'

const COLUMNS: ReadonlyArray<TableColumn<Hold>> = [
  { id: 'name', title: 'Hold', width: 180, grow: true, render: (h) => <strong style={{ fontWeight: 550 }}>{h.name}</strong> },
  { id: 'state', title: 'State', width: 110, render: (h) => <HoldState hold={h} /> },
  { id: 'filter', title: 'Keeps', width: 260, grow: true, render: (h) => <Keeps hold={h} /> },
  { id: 'reason', title: 'Reason', width: 200, grow: true, render: (h) => h.reason },
  { id: 'by', title: 'Placed by', width: 130, render: (h) => h.placed_by },
  { id: 'at', title: 'Placed', width: 140, render: (h) => <Time at={h.placed_at} style="moment" /> },
]

function HoldState({ hold }: { hold: Hold }) {
  return hold.released_at ? <StateDot tone="idle">released</StateDot> : <StateDot tone="ok">stands</StateDot>
}

function Keeps({ hold }: { hold: Hold }) {
  if (hold.filter === null || hold.filter === undefined) return <span className="dim">forgotten at its release</span>
  return hold.filter === '' ? <span>every event</span> : <code>{hold.filter}</code>
}

export function Holds() {
  const [address, setAddress] = useAddress()
  const { data, error, isPending, refetch } = useQuery(ask.holds)
  const writable = useMay()('retention:write')
  const open = data?.items.find((h) => h.id === address.open)
  const close = (): void => setAddress({ open: undefined })
  const make = writable && (
    <Button leftSection={<Plus size={14} />} onClick={() => setAddress({ open: 'new' })}>
      Place a hold
    </Button>
  )
  return (
    <>
      {error && <Failure of={error} again={() => void refetch()} />}
      <Listing
        bar={
          <>
            <span className="dim grow">What a hold picks is removed by no policy and no erasure, until it is released.</span>
            {make}
          </>
        }
      >
        <DataTable
          name="holds"
          columns={COLUMNS}
          rows={data?.items ?? []}
          rowKey={(h) => h.id}
          open={address.open}
          onOpen={(h) => setAddress({ open: h.id })}
          onClose={close}
          loading={isPending}
          narrow={(h) => <TwoLines first={h.name} aside={<HoldState hold={h} />} second={h.reason} />}
          empty={!error && <Empty title="No legal hold">Place one when a court, an authority or an inquiry asks that records be kept, whatever the policies say.</Empty>}
        />
      </Listing>
      {address.open === 'new' && writable && <Place close={close} />}
      {open && <One hold={open} close={close} writable={writable} />}
    </>
  )
}

function One({ hold, close, writable }: { hold: Hold; close: () => void; writable: boolean }) {
  const client = useQueryClient()
  const [asking, question] = useAsk()
  const shown = { filter: hold.filter ?? '', from: hold.from ?? undefined, to: hold.to ?? undefined }
  return (
    <SidePanel label="Legal hold" title={hold.name} onClose={close}>
      {question}
      <Facts>
        <Fact name="State">
          <HoldState hold={hold} />
        </Fact>
        <Fact name="Keeps">
          <Keeps hold={hold} />
        </Fact>
        {(hold.from || hold.to) && (
          <Fact name="Of">
            {hold.from ? <Time at={hold.from} style="moment" /> : 'the beginning'} to {hold.to ? <Time at={hold.to} style="moment" /> : 'the end'}
          </Fact>
        )}
        <Fact name="Reason">{hold.reason}</Fact>
        <Fact name="Placed">
          <Time at={hold.placed_at} style="moment" /> by {hold.placed_by}
        </Fact>
        {hold.released_at && (
          <>
            <Fact name="Released">
              <Time at={hold.released_at} style="moment" /> by {hold.released_by}
            </Fact>
            <Fact name="Because">{hold.release_reason}</Fact>
          </>
        )}
        <Fact name="Hash of the filter">
          <CopyText value={hold.filter_hash} shown={abbreviate(hold.filter_hash, 10)} label="hash of the filter" />
        </Fact>
        {hold.salt && (
          <Fact name="Salt">
            <CopyText value={hold.salt} shown={abbreviate(hold.salt, 10)} label="salt" />
          </Fact>
        )}
      </Facts>
      {!hold.released_at && (
        <div className="row wrap">
          <Button variant="default" component={Link} to="/events" search={{ filter: shown.filter, from: shown.from ?? 'now-100y', to: shown.to ?? 'now' } as never}>
            Show the events
          </Button>
          {writable && (
            <Button
              color="red"
              variant="light"
              leftSection={<LockOpen size={14} />}
              onClick={() =>
                asking({
                  title: 'Release this hold?',
                  text: 'From then on policies and erasures apply to what it kept. Its filter is forgotten; the hash of it stays in the trail.',
                  action: 'Release the hold',
                  name: hold.name,
                  reason: true,
                  run: async (reason) => {
                    await answer(http.POST('/api/v1/holds/{id}/release', { params: { path: { id: hold.id } }, body: { reason } }))
                    await client.invalidateQueries({ queryKey: ask.key('holds') })
                  },
                })
              }
            >
              Release
            </Button>
          )}
        </div>
      )}
    </SidePanel>
  )
}

function Place({ close }: { close: () => void }) {
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [filter, setFilter] = useState('')
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const [reason, setReason] = useState('')
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await answer(http.POST('/api/v1/holds', { body: { name, filter, from: from || null, to: to || null, reason } }))
      await client.invalidateQueries({ queryKey: ask.key('holds') })
      close()
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <SidePanel label="Legal hold" title="Place a hold" onClose={close}>
      <form onSubmit={submit} className="stack">
        <TextInput label="Name" description="Goes into the trail, like the reason: a case number, no person." placeholder="Case 2026-17" value={name} onChange={(e) => setName(e.currentTarget.value)} required withAsterisk={false} />
        <div>
          <div style={{ marginBottom: 4, fontSize: 13, fontWeight: 500 }}>Events</div>
          <KqlBar value={filter} onApply={setFilter} label="Events to hold" placeholder="all events, or a filter in KQL" eager />
        </div>
        <div className="row" style={{ alignItems: 'flex-start' }}>
          <TextInput className="grow" label="From" placeholder="2026-01-01" value={from} onChange={(e) => setFrom(e.currentTarget.value)} />
          <TextInput className="grow" label="To" placeholder="open" value={to} onChange={(e) => setTo(e.currentTarget.value)} />
        </div>
        <TextInput label="Reason" value={reason} onChange={(e) => setReason(e.currentTarget.value)} required withAsterisk={false} />
        {failure !== null && <Failure of={failure} />}
        <Button type="submit" disabled={name.trim() === '' || reason.trim() === ''} style={{ alignSelf: 'flex-start' }}>
          Place the hold
        </Button>
      </form>
    </SidePanel>
  )
}
