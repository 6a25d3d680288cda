import { Button, Switch } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useMemo } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Channel, Rule } from '@/api/types'
import { KindIcon } from '@/components/ChannelKind'
import { holdWords } from '@/components/ruleWords'
import { useMay } from '@/components/session'
import { count } from '@/lib/format'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { Ago } from '@/ui/Time'
import { done, failed } from '@/ui/toast'

export function Rules() {
  const { data, error, isPending, refetch } = useQuery(ask.rules)
  const channels = useQuery(ask.channels)
  const navigate = useNavigate()
  const client = useQueryClient()
  const may = useMay()
  const writable = may('rules:write')
  const columns = useMemo(() => {
    const toggle = async (rule: Rule): Promise<void> => {
      const { name, description, filter, recipients, hold_seconds, group_by } = rule
      try {
        await answer(http.PUT('/api/v1/rules/{id}', { params: { path: { id: rule.id } }, body: { name, description, enabled: !rule.enabled, filter, recipients, hold_seconds, group_by } }))
        done(rule.enabled ? 'Rule switched off' : 'Rule switched on', rule.name)
      } catch (failure) {
        failed(failure)
      }
      await client.invalidateQueries({ queryKey: ask.key('rules') })
    }
    return columnsOf(channels.data?.items ?? [], writable ? toggle : undefined)
  }, [channels.data, client, writable])
  const make = writable && (
    <Button leftSection={<Plus size={14} />} component={Link} to="/rules/new">
      New rule
    </Button>
  )
  return (
    <Page fill title="Rules" lead="Which events are told, to whom, and how often." actions={make}>
      {error && <Failure of={error} again={() => void refetch()} />}
      <Listing>
        <DataTable
          name="rules"
          columns={columns}
          rows={data?.items ?? []}
          rowKey={(r) => r.id}
          onOpen={(r) => void navigate({ to: `/rules/${r.id}` })}
          loading={isPending}
          narrow={(r) => <TwoLines first={r.name} aside={r.enabled ? `${count(r.sent_30d)} sent` : 'off'} second={r.filter || 'every event'} />}
          empty={
            !error && (
              <Empty title="No rule yet" action={make}>
                A rule says which events are told, to whom, and how often. Before it is switched on, a preview shows what it would have sent over the past days.
              </Empty>
            )
          }
        />
      </Listing>
    </Page>
  )
}

function columnsOf(channels: Channel[], toggle?: (rule: Rule) => Promise<void>): ReadonlyArray<TableColumn<Rule>> {
  return [
    {
      id: 'enabled',
      title: 'On',
      width: 56,
      render: (r) => (
        <span onClick={(e) => e.stopPropagation()}>
          <Switch checked={r.enabled} disabled={!toggle} onChange={() => void toggle?.(r)} aria-label={`${r.name} is ${r.enabled ? 'on' : 'off'}`} />
        </span>
      ),
    },
    { id: 'name', title: 'Rule', width: 220, grow: true, render: (r) => <strong style={{ fontWeight: 550 }}>{r.name}</strong> },
    { id: 'filter', title: 'When', width: 280, grow: true, render: (r) => (r.filter ? <code title={r.filter}>{r.filter}</code> : <span className="dim">every event</span>) },
    {
      id: 'to',
      title: 'Tell',
      width: 210,
      render: (r) => (
        <span className="row" style={{ gap: 10 }}>
          {r.recipients.map((to, i) => {
            const channel = channels.find((c) => c.id === to.channel)
            return (
              <span key={i} className="row" style={{ gap: 4 }} title={to.to?.join(', ') || channel?.name}>
                {channel && <KindIcon kind={channel.kind} />}
                {channel?.name ?? 'a removed channel'}
              </span>
            )
          })}
        </span>
      ),
    },
    { id: 'hold', title: 'How often', width: 180, render: (r) => holdWords(r.hold_seconds) },
    {
      id: 'sent',
      title: 'Sent 30 d',
      width: 92,
      align: 'right',
      render: (r) => (
        <Link to="/deliveries" search={{ rule: r.id } as never} onClick={(e) => e.stopPropagation()}>
          {count(r.sent_30d)}
        </Link>
      ),
    },
    { id: 'held', title: 'Held 30 d', width: 92, align: 'right', render: (r) => count(r.held_30d) },
    { id: 'last', title: 'Last fired', width: 110, render: (r) => <Ago at={r.last_fired_at} /> },
  ]
}
