import { SegmentedControl, Skeleton, Tabs } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import type { PreviewMessage, RuleBody, RulePreview as Answer } from '@/api/types'
import { count, plural } from '@/lib/format'
import { DAY, HOUR } from '@/lib/time'
import { Failure } from '@/ui/Failure'
import { Json } from '@/ui/Json'
import { Panel } from '@/ui/Panel'
import { Time } from '@/ui/Time'
import { Timeline } from '@/ui/Timeline'
import { SlackMessage } from './messages/SlackMessage'
import { TeamsCard } from './messages/TeamsCard'
import classes from './RulePreview.module.css'

/** What a rule would have done over the past days, asked of the very code that runs it. */
export function RulePreview({ rule }: { rule: RuleBody }) {
  const [days, setDays] = useState('30')
  const [asked] = useDebouncedValue(rule, 400)
  const { data, error, isFetching, isPending } = useQuery({
    queryKey: ['rule-preview', asked.filter, asked.recipients, asked.hold_seconds, asked.group_by, days],
    queryFn: () => answer(http.POST('/api/v1/rules/preview', { body: { rule: { ...asked, name: asked.name || 'New rule' }, days: Number(days) } })),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    retry: false,
  })
  const [to] = useState(() => Date.now())
  return (
    <Panel
      title={`What it would have done over the past ${days} days`}
      aside={<SegmentedControl value={days} onChange={setDays} data={['7', '30', '90'].map((d) => ({ value: d, label: `${d} d` }))} />}
    >
      {error ? (
        <Failure of={error} />
      ) : isPending ? (
        <Skeleton height={180} />
      ) : (
        <div style={{ opacity: isFetching ? 0.6 : 1 }}>
          <div className={classes.numbers}>
            <span>
              <strong>{count(data.matched)}</strong> {data.matched === 1 ? 'event fits' : 'events fit'}
            </span>
            <span>
              <i style={{ background: 'var(--accent)' }} />
              <strong>{count(data.sent)}</strong> sent
            </span>
            <span>
              <i style={{ background: 'var(--line-strong)' }} />
              <strong>{count(data.held)}</strong> held back
            </span>
            {data.truncated && <span className="dim">not the whole time could be looked at{data.scanned_to ? <>, only to <Time at={data.scanned_to} /></> : ''}</span>}
          </div>
          {data.matched > 0 && <Timeline days={byDay(data)} from={to - Number(days) * DAY} to={to} />}
          {data.matched === 0 && <p className="dim">Nothing that came in over these days fits. The rule may still be right.</p>}
          {data.first.length > 0 && <Messages messages={data.first} />}
        </div>
      )}
    </Panel>
  )
}

// The server may tell spans shorter than a day; the line shows days of the viewer.
function byDay(data: Answer): Array<{ from: number; sent: number; held: number }> {
  const days = new Map<number, { from: number; sent: number; held: number }>()
  for (const span of data.timeline) {
    const from = new Date(Date.parse(span.from) + HOUR / 60).setHours(0, 0, 0, 0)
    const day = days.get(from) ?? { from, sent: 0, held: 0 }
    day.sent += span.sent
    day.held += span.held
    days.set(from, day)
  }
  return [...days.values()].filter((d) => d.sent + d.held > 0)
}

function Messages({ messages }: { messages: PreviewMessage[] }) {
  const [at, setAt] = useState(0)
  const message = messages[Math.min(at, messages.length - 1)]
  if (!message) return null
  return (
    <div className={classes.messages}>
      <div>
        <h3>The first {plural(messages.length, 'message')}</h3>
        <ol className={classes.list}>
          {messages.map((m, i) => (
            <li key={m.position}>
              <button type="button" className={`plain ${classes.pick}`} data-chosen={m === message || undefined} onClick={() => setAt(i)}>
                <span className="clip">{m.subject}</span>
                <span className="dim small">
                  <Time at={m.at} />
                </span>
              </button>
            </li>
          ))}
        </ol>
      </div>
      <Tabs defaultValue="email" className={classes.look}>
        <Tabs.List>
          <Tabs.Tab value="email">Mail</Tabs.Tab>
          <Tabs.Tab value="slack">Slack</Tabs.Tab>
          <Tabs.Tab value="teams">Teams</Tabs.Tab>
          <Tabs.Tab value="webhook">Webhook</Tabs.Tab>
          <Tabs.Tab value="text">Text</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="email">
          <div className={classes.mail}>
            <div className={classes.subject}>{message.subject}</div>
            {/* No script runs in it and nothing is loaded from outside; the policy of the page holds in it too. */}
            <iframe sandbox="" title={`Mail: ${message.subject}`} srcDoc={message.email_html} />
          </div>
        </Tabs.Panel>
        <Tabs.Panel value="slack">
          <SlackMessage message={message.slack} />
        </Tabs.Panel>
        <Tabs.Panel value="teams">
          <TeamsCard message={message.teams} />
        </Tabs.Panel>
        <Tabs.Panel value="webhook">
          <Json value={JSON.stringify(message.webhook ?? null, null, 2)} />
        </Tabs.Panel>
        <Tabs.Panel value="text">
          <pre className={classes.text}>{message.email_text || message.text}</pre>
        </Tabs.Panel>
        <p className="small">
          <Link to="/events" search={{ open: String(message.position) } as never}>
            The event at position {count(message.position)}
          </Link>
        </p>
      </Tabs>
    </div>
  )
}
