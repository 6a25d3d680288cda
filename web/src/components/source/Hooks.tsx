import { Button, Modal, Select, Switch, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Hook, HookMade, HookScheme } from '@/api/types'
import { useMay } from '@/components/session'
import { count } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Command, CopyText } from '@/ui/Copy'
import { TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { OpenList } from '@/ui/OpenList'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done } from '@/ui/toast'

const SCHEMES: Record<HookScheme, string> = {
  standard: 'Standard Webhooks',
  github: 'GitHub',
  slack: 'Slack',
  okta: 'Okta event hooks',
  gitlab: 'GitLab',
  hmac: 'HMAC-SHA256 in a header',
  basic: 'Basic authentication',
  bearer: 'Bearer token',
}

function state(hook: Hook): { tone: 'ok' | 'warn' | 'idle'; words: string } {
  if (!hook.enabled) return { tone: 'idle', words: 'off' }
  if ((hook.last_refused_at ?? '') > (hook.last_accepted_at ?? '')) return { tone: 'warn', words: 'refusing' }
  return hook.last_accepted_at ? { tone: 'ok', words: 'taking' } : { tone: 'idle', words: 'waiting' }
}

const COLUMNS: ReadonlyArray<TableColumn<Hook>> = [
  { id: 'name', title: 'Webhook', width: 170, render: (h) => <strong style={{ fontWeight: 550 }}>{h.title || h.name}</strong> },
  { id: 'scheme', title: 'Signed as', width: 160, render: (h) => SCHEMES[h.settings.scheme] },
  { id: 'url', title: 'Address', width: 300, grow: true, render: (h) => <CopyText value={h.url} label="the address" /> },
  { id: 'state', title: 'State', width: 110, render: (h) => <StateDot tone={state(h).tone}>{state(h).words}</StateDot> },
  { id: 'source', title: 'Source', width: 120, render: (h) => h.source },
  { id: 'accepted', title: 'Taken', width: 80, align: 'right', render: (h) => count(h.accepted) },
  { id: 'refused', title: 'Refused', width: 80, align: 'right', render: (h) => (h.refused > 0 ? <span style={{ color: 'var(--warn)' }}>{count(h.refused)}</span> : <span className="dim">0</span>) },
  { id: 'last', title: 'Last', width: 100, render: (h) => <Ago at={h.last_accepted_at} /> },
]

export function Hooks({ make }: { make: ReactNode }) {
  const [address, setAddress] = useAddress()
  const asked = useQuery(ask.hooks)
  const close = (): void => setAddress({ open: undefined })
  const open = asked.data?.items.find((h) => h.name === address.open)
  return (
    <>
      <OpenList
        name="hooks"
        columns={COLUMNS}
        asked={asked}
        rowKey={(h) => h.name}
        narrow={(h) => <TwoLines first={<StateDot tone={state(h).tone}>{h.title || h.name}</StateDot>} aside={<Ago at={h.last_accepted_at} />} second={h.url} />}
        empty={<Empty title="No webhook yet" action={make}>A webhook has an address of its own, and a secret with which its sender signs. What is not signed is refused, and counted.</Empty>}
      />
      {address.open === 'new' && <NewHook close={close} />}
      {open && <One hook={open} close={close} />}
    </>
  )
}

function Secret({ made, close }: { made: HookMade; close: () => void }) {
  return (
    <Modal opened onClose={close} title={<strong>{made.hook.title || made.hook.name}</strong>} closeOnClickOutside={false} size="lg">
      <div className="stack">
        <span>Put this address into the sender:</span>
        <Command>{made.hook.url}</Command>
        {made.secret && (
          <>
            <span>And this secret. It is shown this once.</span>
            <Command>{made.secret}</Command>
          </>
        )}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button onClick={close}>I have copied it</Button>
        </div>
      </div>
    </Modal>
  )
}

function NewHook({ close }: { close: () => void }) {
  const client = useQueryClient()
  const sources = useQuery(ask.sources)
  const [name, setName] = useState('')
  const [source, setSource] = useState('generic')
  const [scheme, setScheme] = useState<HookScheme>('standard')
  const [header, setHeader] = useState('')
  const [user, setUser] = useState('')
  const [secret, setSecret] = useState('')
  const [made, setMade] = useState<HookMade | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      const settings = { scheme, header: scheme === 'hmac' && header.trim() !== '' ? header.trim() : undefined, user: scheme === 'basic' && user.trim() !== '' ? user.trim() : undefined, encoding: 'hex' as const, tolerance_seconds: 300, keep_headers: [] }
      setMade(await answer(http.POST('/api/v1/hooks', { body: { name: name.trim(), title: '', source, settings, enabled: true, secret: secret.trim() || undefined } })))
      await client.invalidateQueries({ queryKey: ask.key('hooks') })
    } catch (cause) {
      setFailure(cause)
    }
  }
  if (made) return <Secret made={made} close={close} />
  return (
    <SidePanel label="Webhook" title="New webhook" onClose={close}>
      <form onSubmit={submit} className="stack">
        <TextInput label="Name" description="The last part of its address." placeholder="github" value={name} onChange={(e) => setName(e.currentTarget.value)} required withAsterisk={false} data-autofocus />
        <Select label="Signed as" value={scheme} onChange={(v) => setScheme((v ?? 'standard') as HookScheme)} data={Object.entries(SCHEMES).map(([value, label]) => ({ value, label }))} />
        {scheme === 'hmac' && <TextInput label="Header with the signature" placeholder="X-Signature-256" value={header} onChange={(e) => setHeader(e.currentTarget.value)} />}
        {scheme === 'basic' && <TextInput label="User" description="Any, when empty." value={user} onChange={(e) => setUser(e.currentTarget.value)} />}
        <Select label="Source" description="Whose mapping reads what comes." searchable value={source} onChange={(v) => setSource(v ?? 'generic')} data={(sources.data?.items ?? []).filter((s) => s.name !== 'belfry' && s.name !== 'events').map((s) => s.name)} />
        <TextInput label="Secret" type="password" autoComplete="off" description="Only where the sender has made it, as Slack does; otherwise it is made here." value={secret} onChange={(e) => setSecret(e.currentTarget.value)} />
        {failure !== null && <Failure of={failure} />}
        <div>
          <Button type="submit" disabled={name.trim() === ''}>
            Make the webhook
          </Button>
        </div>
      </form>
    </SidePanel>
  )
}

function One({ hook, close }: { hook: Hook; close: () => void }) {
  const may = useMay()
  const client = useQueryClient()
  const [asking, question] = useAsk()
  const [made, setMade] = useState<HookMade | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  const fresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('hooks') })
  const path = { name: hook.name }
  const turn = async (enabled: boolean): Promise<void> => {
    setFailure(null)
    try {
      await answer(http.PUT('/api/v1/hooks/{name}', { params: { path }, body: { name: hook.name, title: hook.title, source: hook.source, settings: hook.settings, enabled } }))
      await fresh()
    } catch (cause) {
      setFailure(cause)
    }
  }
  const rotate = (): void =>
    asking({
      title: 'Make a new secret?',
      text: 'The one there is stays good for a day, so that the sender can be changed in peace.',
      action: 'Make a new secret',
      run: async () => {
        setMade(await answer(http.POST('/api/v1/hooks/{name}/rotate', { params: { path }, body: {} })))
        await fresh()
      },
    })
  const remove = (): void =>
    asking({
      title: 'Remove this webhook?',
      text: 'What its sender sends from now on is refused. What it sent stays in the trail.',
      action: 'Remove the webhook',
      name: hook.name,
      run: async () => {
        await answer(http.DELETE('/api/v1/hooks/{name}', { params: { path } }))
        await fresh()
        done('Webhook removed', hook.name)
        close()
      },
    })
  return (
    <SidePanel label="Webhook" title={hook.title || hook.name} onClose={close}>
      {question}
      {made && <Secret made={made} close={() => setMade(null)} />}
      {may('sources:write') && (
        <div className="row wrap">
          <Switch label={hook.enabled ? 'On' : 'Off'} checked={hook.enabled} onChange={(e) => void turn(e.currentTarget.checked)} />
          <Button variant="default" onClick={rotate}>
            Rotate the secret…
          </Button>
          <Button variant="default" onClick={remove}>
            Remove…
          </Button>
        </div>
      )}
      {failure !== null && <Failure of={failure} />}
      <Facts>
        <Fact name="Address">
          <CopyText value={hook.url} label="the address" />
        </Fact>
        <Fact name="Signed as">{SCHEMES[hook.settings.scheme]}</Fact>
        <Fact name="Source">{hook.source}</Fact>
        <Fact name="Taken">
          {count(hook.accepted)}, last <Ago at={hook.last_accepted_at} />
        </Fact>
        <Fact name="Refused">
          {count(hook.refused)}
          {hook.last_refusal && (
            <>
              , the last <Ago at={hook.last_refused_at} />: {hook.last_refusal}
            </>
          )}
        </Fact>
        {hook.previous_until && (
          <Fact name="Old secret">
            good until <Time at={hook.previous_until} style="moment" />
          </Fact>
        )}
        <Fact name="Made">
          <Time at={hook.created_at} style="moment" />
        </Fact>
      </Facts>
      <span className="dim small">The counts begin when the server is started.</span>
    </SidePanel>
  )
}
