import { Button, SegmentedControl, Select, Skeleton, Switch, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ScrollText, Trash2, Wrench } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Source as SourceType } from '@/api/types'
import { Groups } from '@/components/setAside/Groups'
import { useMay } from '@/components/session'
import { sourceState, sourceTitle } from '@/components/sourceState'
import { count } from '@/lib/format'
import { literal } from '@/lib/kql'
import { useAsk } from '@/ui/Ask'
import { Command } from '@/ui/Copy'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Fact, Facts, Panel, StateDot } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { done, failed } from '@/ui/toast'
import classes from './Source.module.css'

// What the server itself raises: nobody sends it, so there is nothing to connect.
const OWN = 'belfry'

export function Source() {
  const { name } = useParams({ strict: false }) as { name: string }
  const { data, error, isPending, refetch } = useQuery(ask.sources)
  const source = data?.items.find((s) => s.name === name)
  if (error) return <Page title={name}><Failure of={error} again={() => void refetch()} /></Page>
  if (isPending) return <Page title={name}><Skeleton height={220} /></Page>
  if (!source) return <Page title={name}><Empty title="There is no such source" action={<Link to="/sources">All sources</Link>} /></Page>
  return <One source={source} />
}

function One({ source }: { source: SourceType }) {
  const may = useMay()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asking, question] = useAsk()
  const mappings = useQuery(ask.mappings)
  const writable = may('sources:write')
  const state = sourceState(source)
  const change = async (part: Partial<Pick<SourceType, 'title' | 'mapping' | 'enabled'>>): Promise<void> => {
    const { name, title, mapping, enabled } = { ...source, ...part }
    try {
      await answer(http.PUT('/api/v1/sources/{name}', { params: { path: { name: source.name } }, body: { name, title, mapping, enabled } }))
      done('Source saved', title || name)
    } catch (failure) {
      failed(failure)
    }
    await client.invalidateQueries({ queryKey: ask.key('sources') })
  }
  return (
    <Page
      title={sourceTitle(source)}
      lead={<StateDot tone={state.tone}>{state.words}</StateDot>}
      actions={
        <>
          {writable && <Switch label={source.enabled ? 'On' : 'Off'} checked={source.enabled} onChange={(e) => void change({ enabled: e.currentTarget.checked })} />}
          <Button variant="default" leftSection={<ScrollText size={14} />} component={Link} to="/events" {...({ search: { filter: `event.module: ${literal(source.name)}`, from: 'now-7d', to: 'now' } } as object)}>
            Its events
          </Button>
          {source.mapping && (
            <Button variant="default" leftSection={<Wrench size={14} />} component={Link} to={`/mappings/${source.mapping}`}>
              Mapping
            </Button>
          )}
          {writable && !source.builtin && (
            <Button
              variant="default"
              leftSection={<Trash2 size={14} />}
              onClick={() =>
                asking({
                  title: 'Delete this source?',
                  text: 'What it sent stays in the trail. What it sends from now on is refused.',
                  action: 'Delete the source',
                  name: source.name,
                  run: async () => {
                    await answer(http.DELETE('/api/v1/sources/{name}', { params: { path: { name: source.name } } }))
                    await client.invalidateQueries({ queryKey: ask.key('sources') })
                    void navigate({ to: '/sources' })
                  },
                })
              }
            >
              Delete
            </Button>
          )}
        </>
      }
    >
      {question}
      <div className={classes.columns}>
        <Panel title="What it sends">
          <Facts>
            <Fact name="Name">
              <code>{source.name}</code>
            </Fact>
            <Fact name="Last seen">
              <Ago at={source.last_seen_at} />
            </Fact>
            <Fact name="First seen">
              <Ago at={source.first_seen_at} />
            </Fact>
            <Fact name="Rate">{source.rate_per_minute.toFixed(1)} events per minute</Fact>
            <Fact name="Events">{count(source.events_total)}</Fact>
            <Fact name="Set aside">{count(source.set_aside)}</Fact>
            {writable && (
              <>
                <Fact name="Title">
                  <Title source={source} save={(title) => void change({ title })} />
                </Fact>
                <Fact name="Read by">
                  <Select
                    size="xs"
                    aria-label="Mapping"
                    value={source.mapping}
                    disabled={source.builtin}
                    onChange={(v) => void change({ mapping: v ?? '' })}
                    data={[...(mappings.data?.items ?? []).map((m) => ({ value: m.name, label: m.name })), { value: '', label: 'none: it sends events already' }]}
                  />
                </Fact>
              </>
            )}
          </Facts>
        </Panel>
        {source.name !== OWN && <Connect source={source} />}
      </div>
      <h2 className={classes.heading}>Set aside</h2>
      <Groups source={source.name} />
    </Page>
  )
}

function Title({ source, save }: { source: SourceType; save: (title: string) => void }) {
  const [title, setTitle] = useState(source.title)
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault()
        save(title.trim())
      }}
      className="row"
    >
      <TextInput size="xs" aria-label="Title" value={title} onChange={(e) => setTitle(e.currentTarget.value)} className="grow" />
      {title.trim() !== source.title && <Button type="submit">Save</Button>}
    </form>
  )
}

/** How to connect it, with commands to copy. */
function Connect({ source }: { source: SourceType }) {
  const [way, setWay] = useState('http')
  const host = location.hostname
  const ways: Record<string, { title: string; text: string; command: string }> = {
    http: {
      title: 'HTTP',
      text: 'One record, an array, or one record a line. Make a token with the scope events:write first.',
      command: `curl --data-binary @records.jsonl \\\n  -H "Authorization: Bearer $BELFRY_TOKEN" \\\n  -H "Idempotency-Key: $(uuidgen)" \\\n  "${location.origin}/api/v1/events${source.mapping ? `?source=${source.name}` : ''}"`,
    },
    syslog: {
      title: 'Syslog',
      text: 'RFC 5424 or 3164, over TCP or UDP, to the port the server listens on. For rsyslog:',
      command: `# /etc/rsyslog.d/60-belfry.conf\n*.* action(type="omfwd" target="${host}" port="5514" protocol="tcp"\n  TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"\n  action.resumeRetryCount="-1" queue.type="LinkedList" queue.filename="belfry" queue.saveOnShutdown="on")`,
    },
    hec: {
      title: 'Splunk HEC',
      text: 'Whatever speaks to Splunk\'s HTTP Event Collector speaks to this one.',
      command: `curl -H "Authorization: Splunk $BELFRY_TOKEN" \\\n  "${location.origin}/services/collector/event" \\\n  -d '{"source":"${source.name}","event":{"audit_event":"login","username":"ada"}}'`,
    },
    cli: { title: 'Command line', text: 'Sends a file, and says what was accepted.', command: `belfry send --url ${location.origin}${source.mapping ? ` --source ${source.name}` : ''} records.jsonl` },
  }
  const shown = ways[way]
  return (
    <Panel title="Connect it" aside={<SegmentedControl value={way} onChange={setWay} data={Object.entries(ways).map(([value, w]) => ({ value, label: w.title }))} />}>
      {shown && (
        <div className="stack">
          <span>{shown.text}</span>
          <Command>{shown.command}</Command>
        </div>
      )}
    </Panel>
  )
}
