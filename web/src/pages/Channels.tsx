import { Button, NumberInput, PasswordInput, Select, Skeleton, Switch, TagsInput, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Plus, Send, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Channel, ChannelBody, ChannelKind, ChannelTest } from '@/api/types'
import { KINDS, KindIcon, kindTitle } from '@/components/ChannelKind'
import { useMay } from '@/components/session'
import { duration } from '@/lib/time'
import { useAsk } from '@/ui/Ask'
import { Command } from '@/ui/Copy'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago } from '@/ui/Time'
import { done } from '@/ui/toast'
import classes from './Channels.module.css'

const COLUMNS: ReadonlyArray<TableColumn<Channel>> = [
  {
    id: 'name',
    title: 'Channel',
    width: 220,
    grow: true,
    render: (c) => (
      <span className="row">
        <KindIcon kind={c.kind} />
        <strong style={{ fontWeight: 550 }} className="clip">
          {c.name}
        </strong>
      </span>
    ),
  },
  { id: 'kind', title: 'Kind', width: 150, render: (c) => kindTitle(c.kind) },
  { id: 'state', title: 'State', width: 150, render: (c) => <ChannelState channel={c} /> },
  { id: 'target', title: 'Goes to', width: 220, grow: true, render: (c) => targetOf(c) },
  { id: 'ok', title: 'Last delivered', width: 130, render: (c) => <Ago at={c.last_ok_at} /> },
  { id: 'error', title: 'Last error', width: 220, grow: true, render: (c) => (c.last_error ? <span title={c.last_error}>{c.last_error}</span> : <span className="dim">—</span>) },
  { id: 'rules', title: 'Rules', width: 140, render: (c) => (c.used_by.length > 0 ? <span title={c.used_by.join(', ')}>{c.used_by.join(', ')}</span> : <span className="dim">none</span>) },
]

function ChannelState({ channel }: { channel: Channel }) {
  if (!channel.enabled) return <StateDot tone="idle">off</StateDot>
  if (channel.last_error) return <StateDot tone="bad">last try failed</StateDot>
  if (!channel.last_ok_at) return <StateDot tone="idle">not used yet</StateDot>
  return <StateDot tone="ok">works</StateDot>
}

function targetOf(channel: Channel): string {
  const s = channel.settings
  if (channel.kind === 'email') return `${Array.isArray(s.to) && s.to.length > 0 ? s.to.join(', ') : 'the recipients of each rule'}, through ${String(s.host ?? '')}`
  if (channel.kind === 'inbox') return 'this console'
  return String(s.url ?? '')
}

export function Channels() {
  const { id } = useParams({ strict: false }) as { id?: string }
  const { data, error, isPending, refetch } = useQuery(ask.channels)
  const navigate = useNavigate()
  const may = useMay()
  const writable = may('channels:write')
  const open = (data?.items ?? []).find((c) => c.id === id)
  const close = (): void => void navigate({ to: '/channels' })
  const make = writable && (
    <Button leftSection={<Plus size={14} />} component={Link} to="/channels/new">
      New channel
    </Button>
  )
  return (
    <Page fill title="Channels" lead="The ways out: mail, chat, other programs, the inbox." actions={make}>
      {error && <Failure of={error} again={() => void refetch()} />}
      <Listing>
        <DataTable
          name="channels"
          columns={COLUMNS}
          rows={data?.items ?? []}
          rowKey={(c) => c.id}
          open={id}
          onOpen={(c) => void navigate({ to: `/channels/${c.id}` })}
          onClose={close}
          loading={isPending}
          narrow={(c) => <TwoLines first={c.name} aside={<ChannelState channel={c} />} second={`${kindTitle(c.kind)} · ${targetOf(c)}`} />}
          empty={
            !error && (
              <Empty title="No channel yet" action={make}>
                A channel is a way to tell people: a mail server, a Slack or Teams channel, a webhook, the inbox.
              </Empty>
            )
          }
        />
      </Listing>
      {id === 'new' && <Editor key="new" close={close} writable={writable} />}
      {id && id !== 'new' && (open ? <Editor key={open.id} channel={open} close={close} writable={writable} /> : isPending ? <SidePanel label="Channel" title="Channel" onClose={close}><Skeleton height={200} /></SidePanel> : null)}
    </Page>
  )
}

const FRESH: Record<ChannelKind, Record<string, unknown>> = {
  email: { host: '', port: 587, security: 'starttls', username: '', password: '', from: '', to: [] },
  slack: { url: '' },
  teams: { url: '' },
  webhook: { url: '' },
  inbox: {},
}

function Editor({ channel, close, writable }: { channel?: Channel; close: () => void; writable: boolean }) {
  const [draft, setDraft] = useState<ChannelBody>(() => (channel ? { name: channel.name, kind: channel.kind, enabled: channel.enabled, settings: channel.settings } : { name: '', kind: 'email', enabled: true, settings: FRESH.email }))
  const [failure, setFailure] = useState<unknown>(null)
  const [secret, setSecret] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const [asking, question] = useAsk()
  const client = useQueryClient()
  const navigate = useNavigate()
  const set = (settings: Record<string, unknown>): void => setDraft((d) => ({ ...d, settings: { ...d.settings, ...settings } }))

  const save = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    setFailure(null)
    try {
      const saved = await answer(channel ? http.PUT('/api/v1/channels/{id}', { params: { path: { id: channel.id } }, body: draft }) : http.POST('/api/v1/channels', { body: draft }))
      await client.invalidateQueries({ queryKey: ask.key('channels') })
      done(channel ? 'Channel saved' : 'Channel made', saved.name)
      const made = secretOf(saved.settings)
      if (!channel && made.startsWith('whsec_')) setSecret(made)
      else if (!channel) void navigate({ to: `/channels/${saved.id}` })
    } catch (cause) {
      setFailure(cause)
    }
    setBusy(false)
  }

  if (secret) {
    return (
      <SidePanel label="Channel" title={draft.name} onClose={close}>
        <div className="stack">
          <strong>The signing secret of this webhook</strong>
          <p style={{ margin: 0 }}>It is shown once, now. The receiver checks each message with it, as Standard Webhooks say.</p>
          <Command>{secret}</Command>
          <Button onClick={close} style={{ alignSelf: 'flex-start' }}>
            I have kept it
          </Button>
        </div>
      </SidePanel>
    )
  }

  return (
    <SidePanel label="Channel" title={channel ? channel.name : 'New channel'} onClose={close}>
      {question}
      {channel && (
        <Facts>
          <Fact name="State">
            <ChannelState channel={channel} />
          </Fact>
          <Fact name="Last delivered">
            <Ago at={channel.last_ok_at} />
          </Fact>
          {channel.last_error && <Fact name="Last error">{channel.last_error}</Fact>}
          <Fact name="Used by">{channel.used_by.length > 0 ? channel.used_by.join(', ') : <span className="dim">no rule</span>}</Fact>
        </Facts>
      )}
      {channel && <SendTest channel={channel} writable={writable} />}
      {channel?.kind === 'webhook' && writable && (
        <Button
          variant="default"
          style={{ alignSelf: 'flex-start' }}
          onClick={() =>
            asking({
              title: 'Make a new signing secret?',
              text: 'The old one is not used any more from this moment on: the receiver refuses messages until it knows the new one.',
              action: 'Make a new secret',
              run: async () => {
                const renewed = await answer(http.POST('/api/v1/channels/{id}/secret', { params: { path: { id: channel.id } } }))
                setSecret(secretOf(renewed.settings))
              },
            })
          }
        >
          New signing secret…
        </Button>
      )}
      <form onSubmit={save} className={classes.form}>
        {!channel && (
          <div className={classes.kinds} role="radiogroup" aria-label="Kind of channel">
            {KINDS.map((k) => (
              <button key={k.kind} type="button" role="radio" aria-checked={draft.kind === k.kind} data-chosen={draft.kind === k.kind || undefined} onClick={() => setDraft((d) => ({ ...d, kind: k.kind, settings: FRESH[k.kind] }))}>
                <KindIcon kind={k.kind} size={17} />
                <span>
                  <strong>{k.title}</strong>
                  <span className="dim small">{k.about}</span>
                </span>
              </button>
            ))}
          </div>
        )}
        <fieldset disabled={!writable} className={classes.fields}>
          <TextInput label="Name" placeholder="#pam-alerts" value={draft.name} onChange={(e) => setDraft({ ...draft, name: e.currentTarget.value })} required withAsterisk={false} />
          <KindFields kind={draft.kind} settings={draft.settings} set={set} fresh={!channel} />
          <Switch label="Switched on" checked={draft.enabled} onChange={(e) => setDraft({ ...draft, enabled: e.currentTarget.checked })} />
        </fieldset>
        {failure !== null && <Failure of={failure} />}
        {writable && (
          <div className="row">
            <Button type="submit" loading={busy}>
              {channel ? 'Save' : 'Make the channel'}
            </Button>
            <span className="grow" />
            {channel && (
              <Button
                variant="default"
                leftSection={<Trash2 size={14} />}
                onClick={() =>
                  asking({
                    title: 'Delete this channel?',
                    text: channel.used_by.length > 0 ? `These rules tell nobody through it any more: ${channel.used_by.join(', ')}.` : 'No rule uses it.',
                    action: 'Delete the channel',
                    name: channel.name,
                    run: async () => {
                      await answer(http.DELETE('/api/v1/channels/{id}', { params: { path: { id: channel.id } } }))
                      await client.invalidateQueries({ queryKey: ask.key('channels') })
                      close()
                    },
                  })
                }
              >
                Delete
              </Button>
            )}
          </div>
        )}
      </form>
    </SidePanel>
  )
}

function secretOf(settings: unknown): string {
  return typeof settings === 'object' && settings !== null && 'secret' in settings ? String(settings.secret) : ''
}

function KindFields({ kind, settings, set, fresh }: { kind: ChannelKind; settings: Record<string, unknown>; set: (s: Record<string, unknown>) => void; fresh: boolean }) {
  const text = (key: string): { value: string; onChange: (e: React.ChangeEvent<HTMLInputElement>) => void } => ({ value: String(settings[key] ?? ''), onChange: (e) => set({ [key]: e.currentTarget.value }) })
  const kept = fresh ? undefined : 'Leave the dots to keep it.'
  if (kind === 'inbox') return <p className="dim" style={{ margin: 0 }}>Rules choose whose inbox: a user, or everybody of a role.</p>
  if (kind === 'slack') return <TextInput label="Incoming webhook" description={kept ?? 'From the Slack app, under Incoming Webhooks. It is a secret and is not shown again.'} placeholder="https://hooks.slack.com/services/…" {...text('url')} required withAsterisk={false} />
  if (kind === 'teams') return <TextInput label="Address of the workflow" description={kept ?? 'From the Teams workflow “Post to a channel when a webhook request is received”. It is a secret and is not shown again.'} placeholder="https://….logic.azure.com/workflows/…" {...text('url')} required withAsterisk={false} />
  if (kind === 'webhook') {
    return (
      <>
        <TextInput label="Address" placeholder="https://example.com/hooks/belfry" {...text('url')} required withAsterisk={false} />
        <PasswordInput label="Signing secret" description={kept ?? 'Empty: one is made, and shown once.'} placeholder="whsec_…" autoComplete="off" {...text('secret')} />
      </>
    )
  }
  return (
    <>
      <div className={classes.pair}>
        <TextInput label="Mail server" placeholder="mail.example.com" {...text('host')} required withAsterisk={false} />
        <NumberInput label="Port" min={1} max={65535} value={Number(settings.port ?? 587)} onChange={(v) => set({ port: Number(v) })} hideControls />
      </div>
      <Select
        label="Security"
        value={String(settings.security ?? 'starttls')}
        onChange={(v) => set({ security: v, port: v === 'tls' ? 465 : v === 'starttls' ? 587 : 25 })}
        data={[
          { value: 'starttls', label: 'STARTTLS' },
          { value: 'tls', label: 'TLS from the start' },
          { value: 'none', label: 'None: mails can be read and changed on the way' },
        ]}
      />
      <div className={classes.pair2}>
        <TextInput label="User" placeholder="none: no authentication" autoComplete="off" {...text('username')} />
        <PasswordInput label="Password" placeholder={kept} autoComplete="new-password" {...text('password')} />
      </div>
      <TextInput label="From" placeholder="belfry@example.com" {...text('from')} required withAsterisk={false} />
      <TagsInput label="To" description="For rules that name no address of their own." placeholder="security@example.com" value={Array.isArray(settings.to) ? settings.to.map(String) : []} onChange={(to) => set({ to })} splitChars={[',', ' ', ';']} acceptValueOnBlur />
    </>
  )
}

function SendTest({ channel, writable }: { channel: Channel; writable: boolean }) {
  const [result, setResult] = useState<ChannelTest | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const client = useQueryClient()
  const send = async (): Promise<void> => {
    setBusy(true)
    setFailure(null)
    setResult(null)
    try {
      setResult(await answer(http.POST('/api/v1/channels/{id}/test', { params: { path: { id: channel.id } } })))
    } catch (cause) {
      setFailure(cause)
    }
    setBusy(false)
    await client.invalidateQueries({ queryKey: ask.key('channels') })
  }
  if (!writable) return null
  return (
    <div className="stack">
      <Button variant="light" leftSection={<Send size={14} />} onClick={() => void send()} loading={busy} style={{ alignSelf: 'flex-start' }}>
        Send a test
      </Button>
      {failure !== null && <Failure of={failure} />}
      {result && (
        <div className={classes.outcome} data-ok={result.attempt.outcome === 'ok'} role="status">
          <strong>{result.attempt.outcome === 'ok' ? 'The test was delivered' : 'The test was not delivered'}</strong>
          <div>
            <code>{[result.attempt.status, result.attempt.answer].filter(Boolean).join(' ') || 'no answer'}</code> <span className="dim">after {duration(result.attempt.duration_ms)}</span>
          </div>
          {result.note && <div className="dim">{result.note}</div>}
        </div>
      )}
    </div>
  )
}
