import { Button, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Eraser } from 'lucide-react'
import { Suspense, lazy } from 'react'
import * as ask from '@/api/queries'
import { count } from '@/lib/format'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Fact, Facts } from '@/ui/Panel'
import { Time } from '@/ui/Time'

const ProofTab = lazy(() => import('./ProofTab'))

/** What is left of an event that was removed: when and why, and the proof that it was there. */
export function RemovedEvent({ position, onOpen }: { position: number; onOpen: (position: number) => void }) {
  const { data, error, isPending, refetch } = useQuery(ask.removedAt(position))
  if (error) return <div style={{ padding: 16 }}><Failure of={error} again={() => void refetch()} /></div>
  if (isPending) return <div style={{ padding: 16 }}><Skeleton height={120} /></div>
  return (
    <div className="stack" style={{ padding: 16, overflowY: 'auto' }}>
      <h2 className="row" style={{ margin: 0, gap: 8 }}>
        <Eraser size={18} /> This event was removed
      </h2>
      {data ? (
        <>
          <Facts>
            <Fact name="Removed">
              <Time at={data.at} />
            </Fact>
            <Fact name="By">{data.why}</Fact>
            <Fact name="Reason">{data.reason || <span className="dim">—</span>}</Fact>
            <Fact name="Asked for by">{data.by ?? 'the daily run of the policies'}</Fact>
          </Facts>
          {data.event_position !== null && data.event_position !== undefined && (
            <Button variant="default" style={{ alignSelf: 'flex-start' }} onClick={() => onOpen(Number(data.event_position))}>
              Open the record of it, at position {count(data.event_position)}
            </Button>
          )}
        </>
      ) : (
        <Empty title="Nothing more is known">The record of the removal is not in this server's state. Search for retention.applied and erasure.completed.</Empty>
      )}
      <Suspense fallback={<Skeleton height={160} />}>
        <ProofTab key={position} position={position} />
      </Suspense>
    </div>
  )
}
