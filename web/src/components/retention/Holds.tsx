import { Button, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { LockOpen } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Hold } from '@/api/types'
import { useAsk } from '@/ui/Ask'
import { TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { OpenList } from '@/ui/OpenList'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { useMay } from '../session'
import { HashFacts, PickForm, SpanFact } from './Picked'

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
  const asked = useQuery(ask.holds)
  const writable = useMay()('retention:write')
  const open = asked.data?.items.find((h) => h.id === address.open)
  const close = (): void => setAddress({ open: undefined })
  return (
    <>
      <OpenList
        name="holds"
        columns={COLUMNS}
        asked={asked}
        rowKey={(h) => h.id}
        narrow={(h) => <TwoLines first={h.name} aside={<HoldState hold={h} />} second={h.reason} />}
        about="What a hold picks is removed by no policy and no erasure, until it is released."
        make={writable && 'Place a hold'}
        empty={<Empty title="No legal hold">Place one when a court, an authority or an inquiry asks that records be kept, whatever the policies say.</Empty>}
      />
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
        <SpanFact from={hold.from} to={hold.to} />
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
        <HashFacts hash={hold.filter_hash} salt={hold.salt} />
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
  return (
    <SidePanel label="Legal hold" title="Place a hold" onClose={close}>
      <PickForm
        events={{ label: 'Events to hold', placeholder: 'all events, or a filter in KQL' }}
        from="2026-01-01"
        to="open"
        ready={() => name.trim() !== ''}
        action="Place the hold"
        send={async (pick) => {
          await answer(http.POST('/api/v1/holds', { body: { name, ...pick } }))
          await client.invalidateQueries({ queryKey: ask.key('holds') })
          close()
        }}
      >
        <TextInput label="Name" description="Goes into the trail, like the reason: a case number, no person." placeholder="Case 2026-17" value={name} onChange={(e) => setName(e.currentTarget.value)} required withAsterisk={false} />
      </PickForm>
    </SidePanel>
  )
}
