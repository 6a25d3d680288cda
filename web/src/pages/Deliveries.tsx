import { Button, Select, Skeleton } from '@mantine/core'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RotateCw } from 'lucide-react'
import { useMemo, useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Attempt, Delivery, DeliveryState } from '@/api/types'
import { AttemptDots, DeliveryMark } from '@/components/DeliveryMark'
import { KindIcon } from '@/components/ChannelKind'
import { useMay } from '@/components/session'
import { count, plural } from '@/lib/format'
import { duration, utc } from '@/lib/time'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Json } from '@/ui/Json'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { Fact, Facts } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done, failed } from '@/ui/toast'
import classes from './Deliveries.module.css'

const COLUMNS: ReadonlyArray<TableColumn<Delivery>> = [
  { id: 'created', title: 'Time', width: 148, render: (d) => <Time at={d.created_at} /> },
  { id: 'state', title: 'State', width: 104, render: (d) => <DeliveryMark state={d.state} /> },
  { id: 'attempts', title: 'Attempts', width: 104, render: (d) => <AttemptDots attempts={d.attempts} state={d.state} /> },
  { id: 'subject', title: 'Message', width: 260, grow: true, render: (d) => <span title={d.subject}>{d.subject}</span> },
  {
    id: 'channel',
    title: 'Channel',
    width: 160,
    render: (d) => (
      <span className="row" style={{ gap: 6 }}>
        <KindIcon kind={d.kind} />
        <span className="clip">{d.channel_name}</span>
      </span>
    ),
  },
  { id: 'recipient', title: 'Recipient', width: 170, render: (d) => d.recipient },
  { id: 'rule', title: 'Rule', width: 160, render: (d) => d.rule_name ?? <span className="dim">by hand</span> },
  { id: 'answer', title: 'Last answer', width: 210, render: (d) => <span title={d.last_answer ?? undefined}>{d.last_answer ?? <span className="dim">—</span>}</span> },
  { id: 'next', title: 'Next try', width: 100, render: (d) => (d.next_try_at && d.state === 'waiting' ? <Ago at={d.next_try_at} /> : <span className="dim">—</span>) },
]

const STATES: DeliveryState[] = ['waiting', 'sending', 'delivered', 'failed']

export function Deliveries() {
  const [address, setAddress] = useAddress()
  const client = useQueryClient()
  const may = useMay()
  const [chosen, setChosen] = useState<Set<string>>(new Set())
  const channels = useQuery(ask.channels)
  const rules = useQuery(ask.rules)
  const found = useInfiniteQuery(ask.deliveries({ state: STATES.find((s) => s === address.state), channel: address.channel, rule: address.rule }))
  const rows = useMemo(() => found.data?.pages.flatMap((p) => p.items) ?? [], [found.data])
  const again = async (ids: string[]): Promise<void> => {
    try {
      const { resent } = await answer(http.POST('/api/v1/deliveries/resend', { body: { ids } }))
      done(`${plural(resent, 'delivery', 'deliveries')} will be sent again`, resent < ids.length ? `${count(ids.length - resent)} are under way or delivered by now.` : '')
      setChosen(new Set())
    } catch (failure) {
      failed(failure)
    }
    await client.invalidateQueries({ queryKey: ask.key('deliveries') })
  }
  const resendable = rows.filter((r) => chosen.has(r.id)).map((r) => r.id)
  const filtered = Boolean(address.state ?? address.channel ?? address.rule)
  return (
    <Page fill title="Deliveries" lead="Every message to every recipient, with each attempt and its answer.">
      {found.error && <Failure of={found.error} again={() => void found.refetch()} />}
      <Listing
        bar={
          <>
            <Choice label="Any state" value={address.state} onChange={(v) => setAddress({ state: v, open: undefined })} data={STATES.map((s) => ({ value: s, label: s }))} />
            <Choice label="Any channel" value={address.channel} onChange={(v) => setAddress({ channel: v, open: undefined })} data={(channels.data?.items ?? []).map((c) => ({ value: c.id, label: c.name }))} />
            <Choice label="Any rule" value={address.rule} onChange={(v) => setAddress({ rule: v, open: undefined })} data={(rules.data?.items ?? []).map((r) => ({ value: r.id, label: r.name }))} />
            <span className="grow" />
            {resendable.length > 0 && may('deliveries:resend') && (
              <Button leftSection={<RotateCw size={14} />} onClick={() => void again(resendable)}>
                Send {count(resendable.length)} again
              </Button>
            )}
          </>
        }
      >
        <DataTable
          name="deliveries"
          columns={COLUMNS}
          rows={rows}
          rowKey={(d) => d.id}
          open={address.open}
          onOpen={(d) => setAddress({ open: d.id }, { push: address.open === undefined })}
          onClose={() => setAddress({ open: undefined })}
          chosen={chosen}
          onChoose={may('deliveries:resend') ? setChosen : undefined}
          loading={found.isPending || found.isFetchingNextPage}
          more={found.hasNextPage}
          onMore={() => void found.fetchNextPage()}
          narrow={(d) => <TwoLines first={d.subject} aside={<Ago at={d.created_at} />} second={<span className="row" style={{ gap: 8 }}><DeliveryMark state={d.state} /><AttemptDots attempts={d.attempts} state={d.state} /> {d.recipient}</span>} />}
          empty={
            !found.error && (
              <Empty title={filtered ? 'No delivery fits' : 'Nothing was sent yet'} action={filtered ? <Button variant="default" onClick={() => setAddress({ state: undefined, channel: undefined, rule: undefined })}>Show all</Button> : <Link to="/rules">Make a rule</Link>}>
                {filtered ? 'Choose another state, channel or rule.' : 'A rule sends a message when an event fits its filter.'}
              </Empty>
            )
          }
        />
      </Listing>
      {address.open && <One key={address.open} id={address.open} close={() => setAddress({ open: undefined })} again={may('deliveries:resend') ? again : undefined} />}
    </Page>
  )
}

function Choice({ label, value, onChange, data }: { label: string; value: string | undefined; onChange: (v: string | undefined) => void; data: Array<{ value: string; label: string }> }) {
  return <Select size="xs" w={168} aria-label={label} placeholder={label} value={value ?? null} onChange={(v) => onChange(v ?? undefined)} data={data} clearable />
}

function One({ id, close, again }: { id: string; close: () => void; again?: (ids: string[]) => Promise<void> }) {
  const { data, error } = useQuery(ask.delivery(id))
  return (
    <SidePanel label="Delivery" title={data?.subject ?? 'Delivery'} onClose={close}>
      {error && <Failure of={error} />}
      {!data && !error && <Skeleton height={200} />}
      {data && (
        <>
          <div className="row wrap">
            <DeliveryMark state={data.state} />
            <AttemptDots attempts={data.attempts} state={data.state} />
            <span className="grow" />
            {again && (data.state === 'failed' || data.state === 'waiting' || data.state === 'delivered') && (
              <Button variant="default" leftSection={<RotateCw size={14} />} onClick={() => void again([id])}>
                Send again
              </Button>
            )}
          </div>
          <Facts>
            <Fact name="Channel">
              <Link to={`/channels/${data.channel_id}`}>{data.channel_name}</Link>
            </Fact>
            <Fact name="Recipient">{data.recipient}</Fact>
            <Fact name="Rule">{data.rule_id ? <Link to={`/rules/${data.rule_id}`}>{data.rule_name}</Link> : 'sent by hand'}</Fact>
            {data.position != null && (
              <Fact name="Event">
                <Link to="/events" search={{ open: String(data.position) } as never}>
                  position {count(data.position)}
                </Link>
              </Fact>
            )}
            {data.held_before > 0 && <Fact name="Held back before">{count(data.held_before)}</Fact>}
            <Fact name="Made">
              <Time at={data.created_at} />
            </Fact>
            {data.next_try_at && data.state === 'waiting' && (
              <Fact name="Next try">
                <Ago at={data.next_try_at} /> <span className="dim">{utc(data.next_try_at)}</span>
              </Fact>
            )}
          </Facts>
          <section>
            <h3 className={classes.heading}>{plural(data.attempts.length, 'attempt')}</h3>
            {data.attempts.length === 0 && <p className="dim">It waits for its first attempt.</p>}
            <ol className={classes.attempts}>
              {[...data.attempts].reverse().map((a, i) => (
                <li key={a.at + String(i)} data-outcome={a.outcome}>
                  <div className="row wrap">
                    <strong>{data.attempts.length - i}</strong>
                    <span>{{ ok: 'delivered', temporary: 'failed, will be tried again', permanent: 'refused for good' }[a.outcome]}</span>
                    <span className="grow" />
                    <span className="dim small">
                      <Time at={a.at} /> · {duration(a.duration_ms)}
                    </span>
                  </div>
                  <code className={classes.answer}>{answerOf(a)}</code>
                  {a.request && (
                    <details>
                      <summary>Request, without secrets</summary>
                      <Json value={pretty(a.request)} />
                    </details>
                  )}
                </li>
              ))}
            </ol>
          </section>
        </>
      )}
    </SidePanel>
  )
}

function answerOf(attempt: Attempt): string {
  if (attempt.status != null && !attempt.answer.startsWith(String(attempt.status))) return `${attempt.status} ${attempt.answer}`.trim()
  return attempt.answer || 'no answer'
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
