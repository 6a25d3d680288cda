import { ActionIcon, Button, Checkbox, Menu, MultiSelect, Popover, Select, Skeleton, Switch, TagsInput, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Plus, Trash2, X } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Channel, Recipient, Rule, RuleBody } from '@/api/types'
import { KindIcon } from '@/components/ChannelKind'
import { KqlBar } from '@/components/KqlBar'
import { RulePreview } from '@/components/RulePreview'
import { HOLDS, fieldWords, spanWords } from '@/components/ruleWords'
import { useMay } from '@/components/session'
import { count } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Panel } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done } from '@/ui/toast'
import classes from './RuleEditor.module.css'

const FRESH: RuleBody = { name: '', description: '', enabled: true, filter: '', recipients: [], hold_seconds: 3_600, group_by: ['event.action', 'user.name', 'host.name'] }

export function RuleEditor() {
  const { id } = useParams({ strict: false }) as { id: string }
  const [address] = useAddress()
  const { data, error, refetch } = useQuery({ ...ask.rule(id), enabled: id !== 'new' })
  if (id === 'new') return <Editor key="new" start={{ ...FRESH, filter: address.filter ?? '' }} />
  if (error) return <Page title="Rule"><Failure of={error} again={() => void refetch()} /></Page>
  if (!data) return <Page title="Rule"><Skeleton height={160} /><Skeleton height={260} /></Page>
  return <Editor key={data.id} start={data} rule={data} />
}

function Editor({ start, rule }: { start: RuleBody | Rule; rule?: Rule }) {
  const [draft, setDraft] = useState<RuleBody>(() => bodyOf(start))
  const [failure, setFailure] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [asking, question] = useAsk()
  const client = useQueryClient()
  const navigate = useNavigate()
  const may = useMay()
  const writable = may('rules:write')
  const channels = useQuery(ask.channels)
  const change = (part: Partial<RuleBody>): void => setDraft((d) => ({ ...d, ...part }))
  const changed = JSON.stringify(draft) !== JSON.stringify(bodyOf(start)) || !rule

  const save = async (): Promise<void> => {
    setBusy(true)
    setFailure(null)
    try {
      const body = { ...draft, name: draft.name.trim(), filter: draft.filter.trim() }
      const saved = await answer(rule ? http.PUT('/api/v1/rules/{id}', { params: { path: { id: rule.id } }, body }) : http.POST('/api/v1/rules', { body }))
      await client.invalidateQueries({ queryKey: ask.key('rules') })
      done(rule ? 'Rule saved' : 'Rule made', saved.enabled ? 'It looks at every event from now on.' : 'It is switched off.')
      void navigate({ to: '/rules' })
    } catch (cause) {
      setFailure(cause)
    }
    setBusy(false)
  }

  return (
    <Page
      title={rule ? rule.name : 'New rule'}
      lead={
        rule && (
          <>
            {count(rule.sent_30d)} sent and {count(rule.held_30d)} held back in 30 days · last fired <Ago at={rule.last_fired_at} /> · changed <Ago at={rule.updated_at} /> by {rule.updated_by}
          </>
        )
      }
      actions={
        <>
          <Switch label={draft.enabled ? 'On' : 'Off'} checked={draft.enabled} disabled={!writable} onChange={(e) => change({ enabled: e.currentTarget.checked })} />
          {rule && writable && (
            <Button
              variant="default"
              leftSection={<Trash2 size={14} />}
              onClick={() =>
                asking({
                  title: 'Delete this rule?',
                  text: 'Nothing is told by it any more. What it sent stays on record.',
                  action: 'Delete the rule',
                  name: rule.name,
                  run: async () => {
                    await answer(http.DELETE('/api/v1/rules/{id}', { params: { path: { id: rule.id } } }))
                    await client.invalidateQueries({ queryKey: ask.key('rules') })
                    void navigate({ to: '/rules' })
                  },
                })
              }
            >
              Delete
            </Button>
          )}
          <Button variant="default" component={Link} to="/rules">
            Cancel
          </Button>
          {writable && (
            <Button onClick={() => void save()} loading={busy} disabled={!changed || draft.name.trim() === '' || draft.recipients.length === 0}>
              {rule ? 'Save' : 'Make the rule'}
            </Button>
          )}
        </>
      }
    >
      {question}
      {failure !== null && <Failure of={failure} />}
      <Panel>
        <div className={classes.names}>
          <TextInput label="Name" placeholder="Password views at night" value={draft.name} onChange={(e) => change({ name: e.currentTarget.value })} autoFocus={!rule} />
          <TextInput label="Why it exists" placeholder="For whoever is woken by it" value={draft.description} onChange={(e) => change({ description: e.currentTarget.value })} />
        </div>
        <div className={classes.sentence}>
          <span>When</span>
          <div className={classes.filter}>
            <KqlBar eager label="When this happens" placeholder="every event; write a filter to pick some" value={draft.filter} onApply={(filter) => change({ filter })} />
          </div>
          <span>happens, tell</span>
          <Recipients value={draft.recipients} onChange={(recipients) => change({ recipients })} channels={channels.data?.items ?? []} />
          <span style={{ marginLeft: -6 }}>,</span>
          <Hold seconds={draft.hold_seconds} onChange={(hold_seconds) => change({ hold_seconds })} />
          {draft.hold_seconds > 0 && (
            <>
              <span>for the same</span>
              <Group value={draft.group_by} onChange={(group_by) => change({ group_by })} />
              <span className="dim">(what comes in between is counted and told with the next message)</span>
            </>
          )}
        </div>
      </Panel>
      <RulePreview rule={draft} />
    </Page>
  )
}

function bodyOf(rule: RuleBody | Rule): RuleBody {
  const { name, description, enabled, filter, hold_seconds, group_by } = rule
  return { name, description, enabled, filter, hold_seconds, group_by, recipients: rule.recipients.map((r) => ({ channel: r.channel, to: r.to ?? [] })) }
}

/** A part of the sentence that opens when it is clicked. */
function Part({ shown, label, empty, children }: { shown: React.ReactNode; label: string; empty?: boolean; children: (close: () => void) => React.ReactNode }) {
  const [open, setOpen] = useState(false)
  return (
    <Popover opened={open} onChange={setOpen} position="bottom-start" trapFocus withinPortal>
      <Popover.Target>
        <button type="button" className={classes.part} data-empty={empty || undefined} aria-label={label} onClick={() => setOpen(!open)}>
          {shown}
        </button>
      </Popover.Target>
      <Popover.Dropdown w={320}>{open && children(() => setOpen(false))}</Popover.Dropdown>
    </Popover>
  )
}

function Recipients({ value, onChange, channels }: { value: Recipient[]; onChange: (r: Recipient[]) => void; channels: Channel[] }) {
  const free = channels.filter((c) => !value.some((r) => r.channel === c.id))
  return (
    <span className={classes.recipients}>
      {value.map((r, i) => {
        const channel = channels.find((c) => c.id === r.channel)
        const change = (to: string[]): void => onChange(value.map((v, n) => (n === i ? { ...v, to } : v)))
        return (
          <span key={r.channel} className={classes.recipient}>
            <Part
              label={`Recipient ${channel?.name ?? r.channel}`}
              shown={
                <>
                  {channel && <KindIcon kind={channel.kind} />}
                  {channel?.name ?? 'a removed channel'}
                  {r.to.length > 0 && <span className="dim"> ({r.to.map(recipientWords).join(', ')})</span>}
                </>
              }
            >
              {() => <To channel={channel} value={r.to} onChange={change} />}
            </Part>
            <ActionIcon size={20} aria-label={`Do not tell ${channel?.name ?? r.channel}`} onClick={() => onChange(value.filter((_, n) => n !== i))}>
              <X size={12} />
            </ActionIcon>
          </span>
        )
      })}
      <Menu position="bottom-start">
        <Menu.Target>
          <button type="button" className={classes.part} data-empty={value.length === 0 || undefined} aria-label="Add a recipient">
            <Plus size={13} /> {value.length === 0 ? 'whom?' : 'add'}
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          {free.map((c) => (
            <Menu.Item key={c.id} leftSection={<KindIcon kind={c.kind} />} onClick={() => onChange([...value, { channel: c.id, to: c.kind === 'inbox' ? ['role:administrator'] : [] }])}>
              {c.name}
            </Menu.Item>
          ))}
          {free.length === 0 && <Menu.Label>{channels.length === 0 ? 'There is no channel yet.' : 'Every channel is told already.'}</Menu.Label>}
          <Menu.Divider />
          <Menu.Item component={Link} to="/channels/new">
            Set up a channel…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </span>
  )
}

function recipientWords(to: string): string {
  return to.replace(/^role:(.*)$/, 'every $1').replace(/^user:/, '')
}

function To({ channel, value, onChange }: { channel: Channel | undefined; value: string[]; onChange: (to: string[]) => void }) {
  if (channel?.kind === 'inbox') {
    const roles = ['administrator', 'auditor', 'member']
    return (
      <div className="stack">
        <Checkbox.Group label="Into the inbox of every" value={value} onChange={onChange}>
          <div className="stack" style={{ gap: 6, marginTop: 6 }}>
            {roles.map((r) => (
              <Checkbox key={r} value={`role:${r}`} label={r} />
            ))}
          </div>
        </Checkbox.Group>
        <TagsInput size="xs" label="And of these users" placeholder="name" value={value.filter((v) => v.startsWith('user:')).map((v) => v.slice(5))} onChange={(names) => onChange([...value.filter((v) => !v.startsWith('user:')), ...names.map((n) => `user:${n}`)])} acceptValueOnBlur />
      </div>
    )
  }
  if (channel?.kind === 'email') {
    return <TagsInput size="xs" label="To" description="Addresses, user:name or role:name. Empty: the addresses of the channel." value={value} onChange={onChange} splitChars={[',', ' ', ';']} acceptValueOnBlur data-autofocus />
  }
  return <span className="dim">This channel has one target, set in the channel itself.</span>
}

function Hold({ seconds, onChange }: { seconds: number; onChange: (seconds: number) => void }) {
  return (
    <>
      {seconds > 0 && <span>at most once per</span>}
      <Part label="How often at most" shown={spanWords(seconds)}>
        {(close) => (
          <Select
            size="xs"
            label="The same thing is told"
            value={String(seconds)}
            data={[...HOLDS.map((h) => ({ value: String(h.seconds), label: h.seconds === 0 ? 'every time' : `once per ${h.words}` })), ...(HOLDS.some((h) => h.seconds === seconds) ? [] : [{ value: String(seconds), label: `once per ${spanWords(seconds)}` }])]}
            onChange={(v) => {
              onChange(Number(v))
              close()
            }}
            comboboxProps={{ withinPortal: false }}
            data-autofocus
          />
        )}
      </Part>
    </>
  )
}

function Group({ value, onChange }: { value: string[]; onChange: (fields: string[]) => void }) {
  const { data } = useQuery(ask.fields)
  const all = [...new Set([...value, ...(data ?? []).filter((f) => f.kind === 'keyword' || f.kind === 'ip').map((f) => f.name)])]
  return (
    <Part label="What counts as the same" shown={value.length === 0 ? 'rule' : value.map(fieldWords).join(', ')}>
      {() => (
        <MultiSelect
          size="xs"
          label="Two events are the same when these are equal"
          description="None: everything that fits counts as the same."
          value={value}
          onChange={onChange}
          data={all.map((f) => ({ value: f, label: fieldWords(f) === f ? f : `${fieldWords(f)} (${f})` }))}
          searchable
          clearable
          maxDropdownHeight={220}
          comboboxProps={{ withinPortal: false }}
        />
      )}
    </Part>
  )
}
