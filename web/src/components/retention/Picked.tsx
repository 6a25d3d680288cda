import { Button, TextInput } from '@mantine/core'
import { useState } from 'react'
import { abbreviate } from '@/lib/format'
import { CopyText } from '@/ui/Copy'
import { Failure } from '@/ui/Failure'
import { Fact } from '@/ui/Panel'
import { Time } from '@/ui/Time'
import { KqlBar } from '../KqlBar'

/** Which events a hold keeps or an erasure removes, and why. */
export interface Pick {
  filter: string
  from: string | null
  to: string | null
  reason: string
}

interface FormProps {
  /** What stands before the events. */
  children?: React.ReactNode
  /** How the field for the filter is called and filled. */
  events: { label: string; placeholder: string; hint?: string }
  /** What stands in an empty field for the earliest and for the latest time. */
  from: string
  to: string
  /** A word on the reason, and an example. */
  reason?: { description: string; placeholder: string }
  ready: (pick: Pick) => boolean
  /** What the button says. */
  action: string
  send: (pick: Pick) => Promise<void>
}

/** Asks which events, of which time, and why. */
export function PickForm({ children, events, from, to, reason, ready, action, send }: FormProps) {
  const [draft, setDraft] = useState({ filter: '', from: '', to: '', reason: '' })
  const [failure, setFailure] = useState<unknown>(null)
  const pick: Pick = { ...draft, from: draft.from || null, to: draft.to || null }
  const set = (part: Partial<typeof draft>): void => setDraft((d) => ({ ...d, ...part }))
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await send(pick)
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <form onSubmit={submit} className="stack">
      {children}
      <div>
        <div style={{ marginBottom: 4, fontSize: 13, fontWeight: 500 }}>Events</div>
        <KqlBar value={draft.filter} onApply={(filter) => set({ filter })} label={events.label} placeholder={events.placeholder} eager />
        {events.hint && (
          <p className="dim small" style={{ margin: '4px 0 0' }}>
            {events.hint}
          </p>
        )}
      </div>
      <div className="row" style={{ alignItems: 'flex-start' }}>
        <TextInput className="grow" label="From" placeholder={from} value={draft.from} onChange={(e) => set({ from: e.currentTarget.value })} />
        <TextInput className="grow" label="To" placeholder={to} value={draft.to} onChange={(e) => set({ to: e.currentTarget.value })} />
      </div>
      <TextInput label="Reason" {...reason} value={draft.reason} onChange={(e) => set({ reason: e.currentTarget.value })} required withAsterisk={false} />
      {failure !== null && <Failure of={failure} />}
      <Button type="submit" disabled={draft.reason.trim() === '' || !ready(pick)} style={{ alignSelf: 'flex-start' }}>
        {action}
      </Button>
    </form>
  )
}

/** The time that the events are of, where there are bounds. */
export function SpanFact({ from, to }: { from?: string | null; to?: string | null }) {
  if (!from && !to) return null
  return (
    <Fact name="Of">
      {from ? <Time at={from} style="moment" /> : 'the beginning'} to {to ? <Time at={to} style="moment" /> : 'the end'}
    </Fact>
  )
}

/** By which it can be shown what the filter was, when it is forgotten here. */
export function HashFacts({ hash, salt }: { hash: string; salt?: string | null }) {
  return (
    <>
      <Fact name="Hash of the filter">
        <CopyText value={hash} shown={abbreviate(hash, 10)} label="hash of the filter" />
      </Fact>
      {salt && (
        <Fact name="Salt">
          <CopyText value={salt} shown={abbreviate(salt, 10)} label="salt" />
        </Fact>
      )}
    </>
  )
}
