import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Erasure, Hit } from '@/api/types'
import { count, plural } from '@/lib/format'
import { textAt } from '@/lib/record'
import { useAsk } from '@/ui/Ask'
import { TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { OpenList } from '@/ui/OpenList'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { useMay, useMe } from '../session'
import { useTitles } from '../titles'
import { HashFacts, PickForm, SpanFact } from './Picked'
import { RemovalCount } from './RemovalCount'
import classes from './retention.module.css'

const TONES = { counting: 'busy', waiting: 'warn', running: 'busy', completed: 'ok', refused: 'idle', cancelled: 'idle', failed: 'bad' } as const
const WORDS = { counting: 'being counted', waiting: 'waits for approval', running: 'being erased', completed: 'erased', refused: 'refused', cancelled: 'called off', failed: 'failed' } as const

const COLUMNS: ReadonlyArray<TableColumn<Erasure>> = [
  { id: 'at', title: 'Requested', width: 140, render: (e) => <Time at={e.requested_at} style="moment" /> },
  { id: 'state', title: 'State', width: 160, render: (e) => <ErasureState erasure={e} /> },
  { id: 'filter', title: 'What', width: 260, grow: true, render: (e) => <What erasure={e} /> },
  { id: 'events', title: 'Events', width: 90, align: 'right', render: (e) => count(e.removal.events) },
  { id: 'by', title: 'Requested by', width: 130, render: (e) => e.requested_by },
  { id: 'decided', title: 'Decided by', width: 130, render: (e) => e.decided_by ?? <span className="dim">—</span> },
  { id: 'reason', title: 'Reason', width: 200, grow: true, render: (e) => e.reason },
]

function ErasureState({ erasure }: { erasure: Erasure }) {
  return <StateDot tone={TONES[erasure.state]}>{WORDS[erasure.state]}</StateDot>
}

function What({ erasure }: { erasure: Erasure }) {
  return erasure.filter ? <code>{erasure.filter}</code> : <span className="dim">forgotten</span>
}

export function Erasures() {
  const [address, setAddress] = useAddress()
  const asked = useQuery(ask.erasures)
  const may = useMay()('trail:erase')
  const close = (): void => setAddress({ open: undefined })
  return (
    <>
      <OpenList
        name="erasures"
        columns={COLUMNS}
        asked={asked}
        rowKey={(e) => e.id}
        narrow={(e) => <TwoLines first={e.filter ?? e.reason} aside={<ErasureState erasure={e} />} second={`${plural(e.removal.events, 'event')} · ${e.requested_by}`} />}
        about="One person asks, another one approves. The events are replaced by their hashes."
        make={may && 'Request an erasure'}
        empty={<Empty title="No erasure was asked for">When a person has a right to have their data erased, request it here by a filter. It is counted first, and nothing goes before a second person has approved it.</Empty>}
      />
      {address.open === 'new' && may && <Request close={close} made={(id) => setAddress({ open: id })} />}
      {address.open && address.open !== 'new' && <One key={address.open} id={address.open} close={close} />}
    </>
  )
}

function One({ id, close }: { id: string; close: () => void }) {
  const { data, error, refetch } = useQuery(ask.erasure(id))
  const client = useQueryClient()
  const me = useMe()
  const may = useMay()('trail:erase')
  const [asking, question] = useAsk()
  const fresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('erasures') })
  if (error) return <SidePanel label="Erasure" title="Erasure" onClose={close}><Failure of={error} again={() => void refetch()} /></SidePanel>
  if (!data) return null
  const own = data.requested_by === me?.user.name
  return (
    <SidePanel label="Erasure" title="Erasure of a person's data" onClose={close}>
      {question}
      <ol className={classes.steps} aria-label="Steps">
        <li>
          <StateDot tone="ok">
            asked for by {data.requested_by}
          </StateDot>
          <span className="dim small">
            <Time at={data.requested_at} style="moment" />
          </span>
        </li>
        <li>
          {data.decided_by ? (
            <>
              <StateDot tone={data.state === 'refused' ? 'idle' : 'ok'}>
                {data.state === 'refused' ? 'refused' : 'approved'} by {data.decided_by}
              </StateDot>
              <span className="dim small">
                <Time at={data.decided_at} style="moment" />
              </span>
            </>
          ) : (
            <StateDot tone={data.state === 'waiting' ? 'warn' : 'idle'}>{own ? 'another person has to approve it' : 'waits for a second person'}</StateDot>
          )}
        </li>
        {data.state !== 'refused' && (
          <li>
            <StateDot tone={data.state === 'completed' ? 'ok' : data.state === 'running' ? 'busy' : data.state === 'failed' ? 'bad' : 'idle'}>{data.state === 'completed' ? 'erased' : data.state === 'running' ? 'being erased' : data.state === 'failed' ? 'failed' : data.state === 'cancelled' ? 'called off' : 'not erased yet'}</StateDot>
          </li>
        )}
      </ol>
      <Facts>
        <Fact name="What">
          <What erasure={data} />
        </Fact>
        <SpanFact from={data.from} to={data.to} />
        <Fact name="Reason">{data.reason}</Fact>
        {data.decision_reason && <Fact name="Decision">{data.decision_reason}</Fact>}
        <HashFacts hash={data.filter_hash} salt={data.salt} />
      </Facts>
      <RemovalCount removal={data.removal} writable={may} />
      {data.samples.length > 0 && <Samples samples={data.samples as unknown as Hit[]} more={data.removal.events - data.samples.length} />}
      {data.report_files.length > 0 && (
        <div className="small">
          <div className="dim small" style={{ marginBottom: 4 }}>Files of reports that may hold them</div>
          {data.report_files.map((f) => (
            <div key={f.run}>
              <Link to="/runs/$id" params={{ id: f.run } as never}>
                {f.title}
              </Link>{' '}
              <span className="dim">
                by {f.by}, <Time at={f.at} style="moment" />
              </span>
            </div>
          ))}
          <p className="dim">They are kept for seven days; throw them away under Runs if that is too long. Backups keep the events until they expire.</p>
        </div>
      )}
      {may && (data.state === 'waiting' || data.state === 'counting') && (
        <div className="row wrap">
          {data.state === 'waiting' && !own && data.removal.events > 0 && (
            <Button
              color="red"
              onClick={() =>
                asking({
                  title: `Erase ${plural(data.removal.events, 'event')} for good?`,
                  text: `${data.requested_by} asked for it: ${data.reason}. Their hashes stay in the trail. It can't be undone.`,
                  action: `Approve and erase ${plural(data.removal.events, 'event')}`,
                  name: String(data.removal.events),
                  run: async () => {
                    await answer(http.POST('/api/v1/erasures/{id}/approve', { params: { path: { id } }, body: { events: data.removal.events, reason: '' } }))
                    await fresh()
                  },
                })
              }
            >
              Approve…
            </Button>
          )}
          <Button
            variant="default"
            onClick={() =>
              asking({
                title: own ? 'Withdraw this request?' : 'Refuse this request?',
                text: 'Nothing is erased. What was to be erased is forgotten.',
                action: own ? 'Withdraw' : 'Refuse',
                reason: true,
                run: async (reason) => {
                  await answer(http.POST('/api/v1/erasures/{id}/refuse', { params: { path: { id } }, body: { reason } }))
                  await fresh()
                },
              })
            }
          >
            {own ? 'Withdraw…' : 'Refuse…'}
          </Button>
        </div>
      )}
    </SidePanel>
  )
}

function Samples({ samples, more }: { samples: Hit[]; more: number }) {
  const titles = useTitles()
  return (
    <div>
      <div className="dim small" style={{ marginBottom: 4 }}>Some of the events</div>
      <ul className={classes.samples}>
        {samples.map((hit) => (
          <li key={hit.position}>
            <Link to="/events" search={{ open: String(hit.position) } as never}>
              <span className="dim">{count(hit.position)}</span>
              <span className="clip">{textAt(hit.event, 'message') || titles(textAt(hit.event, 'event.action'))}</span>
            </Link>
          </li>
        ))}
        {more > 0 && <li className="dim">and {plural(more, 'more', 'more')}</li>}
      </ul>
    </div>
  )
}

function Request({ close, made }: { close: () => void; made: (id: string) => void }) {
  const client = useQueryClient()
  return (
    <SidePanel label="Erasure" title="Request an erasure" onClose={close}>
      <PickForm
        events={{
          label: 'Events to erase',
          placeholder: 'user.name: "jane" or "jane@example.org"',
          hint: 'A bare word is looked for in every field, the original record included: use it for names and addresses that stand in texts.',
        }}
        from="the beginning"
        to="now"
        reason={{ description: 'Goes into the trail for ever: a case number, not the person.', placeholder: 'Request 2026-17, article 17' }}
        ready={(pick) => pick.filter.trim() !== ''}
        action="Count, and ask for approval"
        send={async (pick) => {
          const asked = await answer(http.POST('/api/v1/erasures', { body: pick }))
          await client.invalidateQueries({ queryKey: ask.key('erasures') })
          made(asked.id)
        }}
      />
    </SidePanel>
  )
}
