import { Button, Skeleton, Tabs } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ScrollText, Trash2, Wrench } from 'lucide-react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Source as SourceType } from '@/api/types'
import { useMay } from '@/components/session'
import { Groups } from '@/components/setAside/Groups'
import { Gaps } from '@/components/source/Gaps'
import { Health } from '@/components/source/Health'
import { Selection } from '@/components/source/Selection'
import { Send } from '@/components/source/Send'
import { SourceSettings } from '@/components/source/Settings'
import { sourceState, sourceTitle } from '@/components/sourceState'
import { count } from '@/lib/format'
import { literal } from '@/lib/kql'
import { useAsk } from '@/ui/Ask'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { StateDot } from '@/ui/Panel'
import { useAddress } from '@/ui/address'

// What the server itself raises: nobody sends it, so there is nothing to connect, to map or to leave out.
const OWN = 'belfry'

export function Source() {
  const { name } = useParams({ strict: false }) as { name: string }
  const { data, error, isPending, refetch } = useQuery(ask.sources)
  const source = data?.items.find((s) => s.name === name)
  if (error) return <Page title={name}><Failure of={error} again={() => void refetch()} /></Page>
  if (isPending) return <Page title={name}><Skeleton height={220} /></Page>
  if (!source) return <Page title={name}><Empty title="There is no such source" action={<Link to="/sources">All sources</Link>} /></Page>
  return <One key={source.name} source={source} />
}

function One({ source }: { source: SourceType }) {
  const may = useMay()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asking, question] = useAsk()
  const [address, setAddress] = useAddress()
  const tab = address.tab ?? 'health'
  const writable = may('sources:write')
  const state = sourceState(source)
  const own = source.name === OWN
  const number = (n: number): string => (n > 0 ? ` ${count(n)}` : '')
  return (
    <Page
      fill={tab === 'set-aside'}
      title={sourceTitle(source)}
      lead={
        <>
          <StateDot tone={state.tone}>{state.words}</StateDot>
          {source.health.reason && source.health.state !== 'ok' && `: ${source.health.reason}`} · <code>{source.name}</code>
        </>
      }
      actions={
        <>
          <Button variant="default" leftSection={<ScrollText size={14} />} component={Link} to="/events" {...({ search: { filter: `event.module: ${literal(source.name)}`, from: 'now-7d', to: 'now' } } as object)}>
            Its events
          </Button>
          {source.mapping && (
            <Button variant="default" leftSection={<Wrench size={14} />} component={Link} to={`/mappings/${source.mapping}`}>
              Mapping {source.mapping}
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
      <Tabs value={tab} onChange={(v) => setAddress({ tab: v === 'health' || v === null ? undefined : v, replay: undefined })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="health">Health</Tabs.Tab>
          {!own && <Tabs.Tab value="gaps">Gaps{number(source.health.gaps_open)}</Tabs.Tab>}
          {!own && <Tabs.Tab value="set-aside">Set aside{number(source.set_aside)}</Tabs.Tab>}
          {!own && <Tabs.Tab value="selection">Left out</Tabs.Tab>}
          {!own && <Tabs.Tab value="send">How to send</Tabs.Tab>}
          {!own && <Tabs.Tab value="settings">Settings</Tabs.Tab>}
        </Tabs.List>
      </Tabs>
      {tab === 'health' && <Health source={source} />}
      {tab === 'gaps' && <Gaps source={source.name} />}
      {tab === 'set-aside' && <Groups source={source.name} />}
      {tab === 'selection' && <Selection source={source.name} />}
      {tab === 'send' && <Send source={source.name} mapped={source.mapping !== ''} />}
      {tab === 'settings' && <SourceSettings source={source} writable={writable} />}
    </Page>
  )
}
