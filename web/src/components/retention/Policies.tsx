import { ActionIcon, Button, Skeleton, TextInput, Tooltip } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ListChecks, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Policy, Removal, RetentionRules } from '@/api/types'
import { count, plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Panel } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { failed } from '@/ui/toast'
import { useMay } from '../session'
import { RemovalCount, RemovalStateDot } from './RemovalCount'
import classes from './retention.module.css'

/** How long each category is kept, what that removes now, and what it removed before. */
export function Policies() {
  const rules = useQuery(ask.retention)
  const removals = useQuery(ask.removals)
  const writable = useMay()('retention:write')
  const [address, setAddress] = useAddress()
  if (rules.error) return <Failure of={rules.error} again={() => void rules.refetch()} />
  if (removals.error) return <Failure of={removals.error} again={() => void removals.refetch()} />
  if (!rules.data || !removals.data) return <Skeleton height={240} />
  const all = removals.data.items
  const current = all.find((r) => r.state === 'counting' || r.state === 'ready' || r.state === 'running' || r.state === 'failed')
  const open = rules.data.policies.find((p) => p.category === address.open)
  const close = (): void => setAddress({ open: undefined })
  return (
    <>
      <PolicyList rules={rules.data} writable={writable} />
      {rules.data.policies.length > 0 && <Apply current={current} writable={writable} />}
      {all.some((r) => r !== current) && <History removals={all.filter((r) => r !== current)} />}
      {address.open === 'new' && <Editor key="new" close={close} floor={rules.data.floor} />}
      {open && writable && <Editor key={open.category} policy={open} close={close} floor={rules.data.floor} />}
    </>
  )
}

function PolicyList({ rules, writable }: { rules: RetentionRules; writable: boolean }) {
  const [, setAddress] = useAddress()
  const [asking, question] = useAsk()
  const client = useQueryClient()
  const make = writable && (
    <Button leftSection={<Plus size={14} />} onClick={() => setAddress({ open: 'new' })}>
      New policy
    </Button>
  )
  return (
    <Panel title="How long events are kept" aside={rules.policies.length > 0 && make} flush>
      {question}
      {rules.policies.length === 0 ? (
        <Empty title="Everything is kept for ever" action={make}>
          A policy says how long events of one category are kept, counted from the moment they came in. Nothing is removed before there is one.
        </Empty>
      ) : (
        <>
          <div className={classes.scroll}>
            <table className={classes.table} aria-label="Policies">
              <thead>
                <tr>
                  <th>Category</th>
                  <th>Kept for</th>
                  <th className={classes.wide}>Note</th>
                  <th className={classes.wide}>Changed</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {rules.policies.map((p) => (
                  <tr key={p.category}>
                    <td>
                      {writable ? (
                        <button type="button" className={`plain ${classes.open}`} onClick={() => setAddress({ open: p.category })}>
                          {nameOf(p)}
                        </button>
                      ) : (
                        nameOf(p)
                      )}
                    </td>
                    <td>{p.keep}</td>
                    <td className={classes.wide}>{p.note || <span className="dim">—</span>}</td>
                    <td className={classes.wide}>
                      <Ago at={p.updated_at} /> by {p.updated_by}
                    </td>
                    <td className={classes.end}>
                      {writable && (
                        <Tooltip label="Take the policy away">
                          <ActionIcon
                            aria-label={`Take the policy of ${p.category} away`}
                            onClick={() =>
                              asking({
                                title: 'Take this policy away?',
                                text: p.category === '*' ? 'Categories without a policy of their own are then kept for ever.' : `Events of ${p.category} are then kept as all the rest is, or for ever.`,
                                action: 'Take it away',
                                run: async () => {
                                  await answer(http.DELETE('/api/v1/retention/policies/{category}', { params: { path: { category: p.category } } }))
                                  await client.invalidateQueries({ queryKey: ask.key('retention') })
                                  await client.invalidateQueries({ queryKey: ask.key('removals') })
                                },
                              })
                            }
                          >
                            <Trash2 size={15} />
                          </ActionIcon>
                        </Tooltip>
                      )}
                    </td>
                  </tr>
                ))}
                {!rules.policies.some((p) => p.category === '*') && (
                  <tr>
                    <td className="dim">every other category</td>
                    <td className="dim" colSpan={4}>
                      for ever
                    </td>
                  </tr>
                )}
              </tbody>
            </table>
          </div>
          <ScheduleLine rules={rules} writable={writable} />
        </>
      )}
    </Panel>
  )
}

function nameOf(policy: Policy): string {
  return policy.category === '*' ? 'every other category' : policy.category
}

function ScheduleLine({ rules, writable }: { rules: RetentionRules; writable: boolean }) {
  const [at, setAt] = useState<string | null>(null)
  const client = useQueryClient()
  const save = async (daily_at: string | null): Promise<void> => {
    try {
      await answer(http.PUT('/api/v1/retention/schedule', { body: { daily_at } }))
      setAt(null)
      await client.invalidateQueries({ queryKey: ask.key('retention') })
    } catch (failure) {
      failed(failure)
    }
  }
  if (at !== null) {
    return (
      <form
        className="row wrap"
        style={{ padding: '8px 16px', borderTop: '1px solid var(--line)' }}
        onSubmit={(e) => {
          e.preventDefault()
          void save(at)
        }}
      >
        <TextInput aria-label="Time of day, UTC" placeholder="03:30" value={at} onChange={(e) => setAt(e.currentTarget.value)} w={96} data-autofocus autoFocus />
        <span className="dim">UTC, every day</span>
        <Button type="submit">Save</Button>
        <Button variant="default" onClick={() => void save(null)}>
          Only when asked
        </Button>
        <Button variant="default" onClick={() => setAt(null)}>
          Cancel
        </Button>
      </form>
    )
  }
  return (
    <div className="row wrap" style={{ padding: '8px 16px', borderTop: '1px solid var(--line)', fontSize: 13 }}>
      <span className="dim grow">
        {rules.daily_at ? `Applied every day at ${rules.daily_at} UTC. ` : 'Applied only when somebody asks. '}
        {rules.next_at && (
          <>
            Next: <Time at={rules.next_at} style="moment" />
          </>
        )}
      </span>
      {writable && (
        <Button variant="default" onClick={() => setAt(rules.daily_at ?? '03:30')}>
          Change
        </Button>
      )}
    </div>
  )
}

function Apply({ current, writable }: { current?: Removal; writable: boolean }) {
  const client = useQueryClient()
  const [asking, question] = useAsk()
  const [busy, setBusy] = useState(false)
  const fresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('removals') })
  const preview = async (): Promise<void> => {
    setBusy(true)
    try {
      await answer(http.POST('/api/v1/retention/preview'))
      await fresh()
    } catch (failure) {
      failed(failure)
    }
    setBusy(false)
  }
  const idle = !current || current.state === 'ready'
  const look = writable && idle && (
    <Button variant={current ? 'default' : 'filled'} leftSection={<ListChecks size={14} />} onClick={() => void preview()} loading={busy}>
      {current ? 'Count again' : 'Preview what is past its time'}
    </Button>
  )
  if (!current) {
    return (
      <Panel title="Apply now">
        <div className="row wrap">
          <span className="dim grow">A preview counts what the policies would remove at this moment. Nothing goes before you have said yes to the count.</span>
          {look}
        </div>
      </Panel>
    )
  }
  return (
    <Panel title={current.state === 'ready' ? 'Preview: nothing is removed yet' : 'Applying the policies'} aside={<RemovalStateDot removal={current} />}>
      {question}
      <RemovalCount removal={current} writable={writable} />
      {current.state === 'ready' && writable && (
        <div className="row wrap" style={{ marginTop: 12 }}>
          {current.events > 0 && (
            <Button
              color="red"
              onClick={() =>
                asking({
                  title: `Remove ${plural(current.events, 'event')} for good?`,
                  text: 'Their hashes stay in the trail, what they say is gone, from the index as well. It can\'t be undone.',
                  action: `Remove ${plural(current.events, 'event')}`,
                  name: String(current.events),
                  reason: true,
                  run: async (reason) => {
                    await answer(http.POST('/api/v1/removals/{id}/apply', { params: { path: { id: current.id } }, body: { events: current.events, reason } }))
                    await fresh()
                  },
                })
              }
            >
              Remove {plural(current.events, 'event')}…
            </Button>
          )}
          {current.events === 0 && <span className="dim">Nothing is past its time.</span>}
          {look}
          <Button
            variant="default"
            onClick={() =>
              void answer(http.POST('/api/v1/removals/{id}/cancel', { params: { path: { id: current.id } } }))
                .then(fresh)
                .catch(failed)
            }
          >
            Dismiss
          </Button>
        </div>
      )}
    </Panel>
  )
}

function History({ removals }: { removals: Removal[] }) {
  return (
    <Panel title="What was removed" flush>
      <div className={classes.scroll}>
        <table className={classes.table} aria-label="Removals">
          <thead>
            <tr>
              <th>When</th>
              <th>State</th>
              <th className={classes.number}>Events</th>
              <th className={classes.wide}>By</th>
              <th className={classes.wide}>Policies</th>
              <th className={classes.wide}>Reason</th>
            </tr>
          </thead>
          <tbody>
            {removals.map((r) => (
              <tr key={r.id}>
                <td>
                  <Time at={r.ended_at ?? r.at} style="moment" />
                </td>
                <td>
                  <RemovalStateDot removal={r} />
                </td>
                <td className={classes.number}>{count(r.removed)}</td>
                <td className={classes.wide}>{r.by ?? <span className="dim">the daily run</span>}</td>
                <td className={classes.wide}>{r.policies.map((p) => `${p.category} ${p.keep}`).join(', ')}</td>
                <td className={classes.wide}>{r.reason || r.error || <span className="dim">—</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

function Editor({ policy, close, floor }: { policy?: Policy; close: () => void; floor: string }) {
  const client = useQueryClient()
  const [category, setCategory] = useState(policy?.category ?? '')
  const [keep, setKeep] = useState(policy?.keep ?? '')
  const [note, setNote] = useState(policy?.note ?? '')
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await answer(http.PUT('/api/v1/retention/policies/{category}', { params: { path: { category: category.trim() } }, body: { keep: keep.trim(), note } }))
      await client.invalidateQueries({ queryKey: ask.key('retention') })
      await client.invalidateQueries({ queryKey: ask.key('removals') })
      close()
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <SidePanel label="Policy" title={policy ? nameOf(policy) : 'New policy'} onClose={close}>
      <form onSubmit={submit} className="stack">
        <TextInput
          label="Category"
          description="As in event.category, for example session; * stands for every category without a policy of its own."
          placeholder="session"
          value={category}
          onChange={(e) => setCategory(e.currentTarget.value)}
          disabled={policy !== undefined}
          required
          withAsterisk={false}
        />
        <TextInput label="Keep for" description={`12h, 30d, 26w or 7y from when an event came in; at least ${floor}.`} placeholder="365d" value={keep} onChange={(e) => setKeep(e.currentTarget.value)} required withAsterisk={false} />
        <TextInput label="Note" description="Which rule or law asks for it." value={note} onChange={(e) => setNote(e.currentTarget.value)} />
        {failure !== null && <Failure of={failure} />}
        <Button type="submit" disabled={category.trim() === '' || keep.trim() === ''} style={{ alignSelf: 'flex-start' }}>
          {policy ? 'Change the policy' : 'Set the policy'}
        </Button>
        <p className="dim small" style={{ margin: 0 }}>
          A policy removes nothing at this moment. It is applied at the next daily run, or after a preview.
        </p>
      </form>
    </SidePanel>
  )
}
