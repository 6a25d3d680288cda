import { useEffect, useState } from 'react'
import { address } from '@/api/client'
import type { Hit } from '@/api/types'

const MOST = 500

export interface Live {
  hits: Hit[]
  /** How many events the stream left out because they came faster than they could be sent. */
  lag: number
  state: 'off' | 'connecting' | 'on' | 'broken'
}

/** New events as they come in, newest first. */
export function useLive(on: boolean, filter: string): Live {
  const [live, setLive] = useState<Live>({ hits: [], lag: 0, state: 'off' })
  useEffect(() => {
    if (!on) return
    const stream = new EventSource(address('/events/stream', { filter }))
    let waiting: Hit[] = []
    // A burst is shown at once instead of event by event.
    const timer = setInterval(() => {
      if (waiting.length === 0) return
      const fresh = waiting.reverse()
      waiting = []
      setLive((l) => ({ ...l, state: 'on', hits: [...fresh, ...l.hits].slice(0, MOST) }))
    }, 250)
    stream.addEventListener('open', () => setLive((l) => ({ ...l, state: 'on' })))
    stream.addEventListener('error', () => setLive((l) => ({ ...l, state: stream.readyState === EventSource.CLOSED ? 'broken' : 'connecting' })))
    stream.addEventListener('event', (e: MessageEvent<string>) => waiting.push(JSON.parse(e.data) as Hit))
    stream.addEventListener('lag', (e: MessageEvent<string>) => {
      const missed = Number((/\d+/.exec(e.data) ?? ['1'])[0])
      setLive((l) => ({ ...l, lag: l.lag + missed }))
    })
    return () => {
      clearInterval(timer)
      stream.close()
      setLive({ hits: [], lag: 0, state: 'off' })
    }
  }, [on, filter])
  return live
}
