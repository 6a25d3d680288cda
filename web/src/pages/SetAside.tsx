import { Button, SegmentedControl, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Download, RotateCcw, Trash2, Wrench } from 'lucide-react'
import { address as addressOf } from '@/api/client'
import * as ask from '@/api/queries'
import { useMay } from '@/components/session'
import { Groups } from '@/components/setAside/Groups'
import { Records } from '@/components/setAside/Records'
import { useSettle } from '@/components/setAside/useSettle'
import { count, plural } from '@/lib/format'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'

const STATES = [
  { value: 'open', label: 'Open' },
  { value: 'replayed', label: 'Replayed' },
  { value: 'discarded', label: 'Discarded' },
]

const nothing = (): undefined => undefined

/** Everything that was set aside; with a group in the path that group. */
export function SetAside() {
  const { group } = useParams({ strict: false }) as { group?: string }
  return group ? <Group key={group} id={group} /> : <All />
}

function useMappingOf(): (source: string) => string {
  const { data } = useQuery(ask.sources)
  return (source) => data?.items.find((s) => s.name === source)?.mapping ?? ''
}

function All() {
  const [address, setAddress] = useAddress()
  const state = address.state ?? 'open'
  const mappingOf = useMappingOf()
  const bar = <SegmentedControl aria-label="State" value={state} onChange={(v) => setAddress({ state: v === 'open' ? undefined : v, open: undefined, replay: undefined })} data={STATES} />
  return (
    <Page fill title="Set aside" lead="Records that could not be understood, by what is wrong with them. Mend the mapping and replay them, or discard them with a reason.">
      {state === 'open' ? <Groups bar={bar} /> : <Records filter={{ state }} bar={bar} mappingOf={mappingOf} />}
    </Page>
  )
}

function Group({ id }: { id: string }) {
  const [address] = useAddress()
  const mappingOf = useMappingOf()
  const may = useMay()
  const { data: group, error, isPending, refetch } = useQuery(ask.setAsideGroup(id))
  const { replay, discard, question } = useSettle(nothing)
  const back = <Link to="/set-aside">All groups</Link>
  if (error) return <Page title="Set aside"><Failure of={error} again={() => void refetch()} /></Page>
  if (isPending) return <Page title="Set aside"><Skeleton height={320} /></Page>
  // What a replay did with the last of them is still to be read.
  if (!group && !address.replay) return <Page title="Set aside"><Empty title="Nothing of this group is open any more" action={back} /></Page>
  const mapping = group ? mappingOf(group.source) : ''
  const writable = may('sources:write') && group !== null
  return (
    <Page
      fill
      title={group ? group.kind : 'Set aside'}
      lead={
        group ? (
          <>
            {plural(group.records, 'record')} of <Link to={`/sources/${group.source}`}>{group.source}</Link>, <Time at={group.first_at} style="moment" /> to <Ago at={group.last_at} />
            {group.senders.some((s) => s.peer) && (
              <>
                , from{' '}
                {group.senders.slice(0, 3).map((s, n) => (
                  <span key={s.peer ?? ''}>
                    {n > 0 && ', '}
                    <code>{s.peer ?? 'unknown'}</code>
                    {group.senders.length > 1 && ` (${count(s.records)})`}
                  </span>
                ))}
                {group.peers > 3 && ` and ${count(group.peers - 3)} more`}
              </>
            )}
            . {back}
          </>
        ) : (
          back
        )
      }
      actions={
        group && (
          <>
            {mapping && (
              <Button leftSection={<Wrench size={14} />} component={Link} to={`/mappings/${mapping}`} {...({ search: { group: group.id } } as object)}>
                Mend the mapping
              </Button>
            )}
            {writable && (
              <>
                <Button variant="default" leftSection={<RotateCcw size={14} />} onClick={() => void replay({ group: group.id })}>
                  Replay {count(group.records)}
                </Button>
                <Button variant="default" leftSection={<Trash2 size={14} />} onClick={() => discard({ group })}>
                  Discard {count(group.records)}…
                </Button>
              </>
            )}
            <Button variant="default" leftSection={<Download size={14} />} component="a" href={addressOf('/set-aside/export', { group: group.id })} download>
              Download
            </Button>
          </>
        )
      }
    >
      {question}
      <Records filter={{ group: id, state: 'open' }} mappingOf={mappingOf} />
    </Page>
  )
}
