import { Button, Skeleton } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Gap } from '@/api/types'
import { useMay } from '@/components/session'
import { count } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Panel, StateDot } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import classes from './Source.module.css'

const TONES = { open: 'warn', filled: 'ok', acknowledged: 'idle' } as const

/** Numbers that the sender skipped in its own sequence: what is missing, and what was found out about it. */
export function Gaps({ source }: { source: string }) {
  const { data, error, refetch } = useQuery(ask.sourceHealth(source))
  const client = useQueryClient()
  const may = useMay()
  const [asking, question] = useAsk()
  if (error) return <Failure of={error} again={() => void refetch()} />
  if (!data) return <Skeleton height={200} />
  if (data.gap_list.length === 0)
    return <Empty title="Nothing is missing">{data.streams === 0 ? 'Its records carry no numbers of their own, so a loss on the way could not be seen from them.' : 'Each number of its sequences has come.'}</Empty>
  const acknowledge = (gap: Gap): void =>
    asking({
      title: `Acknowledge the gap ${range(gap)}?`,
      text: 'It is no longer counted as open. What is missing stays missing, unless it comes later.',
      action: 'Acknowledge',
      reason: true,
      run: async (reason) => {
        await answer(http.POST('/api/v1/sources/{name}/gaps/{id}/acknowledge', { params: { path: { name: source, id: gap.id } }, body: { reason } }))
        await client.invalidateQueries({ queryKey: ask.key('sources') })
      },
    })
  return (
    <Panel title="Gaps" aside={data.gap_list.length >= 200 ? 'the newest 200' : undefined} flush>
      {question}
      <div className={classes.scroll} style={{ maxHeight: 'none' }} tabIndex={0} role="region" aria-label="Gaps">
        <table className={classes.table}>
          <thead>
            <tr>
              <th>State</th>
              <th>Missing</th>
              <th className="number">Still missing</th>
              <th>Sequence</th>
              <th>Found</th>
              <th>What became of it</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {data.gap_list.map((g) => (
              <tr key={g.id}>
                <td>
                  <StateDot tone={TONES[g.state]}>{g.state}</StateDot>
                </td>
                <td>
                  <code>{range(g)}</code>
                </td>
                <td className="number">{count(g.missing)}</td>
                <td>{g.stream}</td>
                <td>
                  <Ago at={g.found_at} />
                </td>
                <td data-wrap>
                  {g.reason ?? ''}
                  {g.settled_by && <span className="dim"> by {g.settled_by}</span>}
                </td>
                <td>
                  {g.state === 'open' && may('sources:write') && (
                    <Button variant="default" size="compact-xs" onClick={() => acknowledge(g)}>
                      Acknowledge…
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

function range(gap: Gap): string {
  return gap.from === gap.to ? String(gap.from) : `${gap.from} to ${gap.to}`
}
