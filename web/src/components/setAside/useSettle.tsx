import { useQueryClient } from '@tanstack/react-query'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { SetAsideGroup } from '@/api/types'
import { count, plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { useAddress } from '@/ui/address'
import { done, failed } from '@/ui/toast'

export type Pick = { ids: string[] } | { group: string } | { source: string }

/** Replaying and discarding. `settled` is told when something was settled. A replay stands in the address as `replay`. */
export function useSettle(settled: () => void) {
  const client = useQueryClient()
  const [, setAddress] = useAddress()
  const [asking, question] = useAsk()
  const fresh = async (): Promise<void> => {
    settled()
    await Promise.all(['set-aside', 'sources'].map((key) => client.invalidateQueries({ queryKey: ask.key(key) })))
  }
  const replay = async (pick: Pick): Promise<void> => {
    try {
      const job = await answer(http.POST('/api/v1/set-aside/replays', { body: pick }))
      setAddress({ replay: job.id, open: undefined })
    } catch (failure) {
      failed(failure)
    }
  }
  const discard = (what: { ids: string[] } | { group: SetAsideGroup }): void => {
    const group = 'group' in what ? what.group : null
    const many = 'ids' in what ? what.ids.length : what.group.records
    asking({
      title: `Discard ${plural(many, 'record')}?`,
      text: (
        <>
          {group && (
            <>
              All of the group <strong>{group.kind}</strong> of {group.source} that are there now; what comes in meanwhile stays.{' '}
            </>
          )}
          They will not become events. They stay on record as discarded, with your reason.
        </>
      ),
      action: `Discard ${count(many)}`,
      reason: true,
      run: async (reason) => {
        const body = 'ids' in what ? { ids: what.ids, reason } : { group: what.group.id, through: what.group.newest, reason }
        const { discarded } = await answer(http.POST('/api/v1/set-aside/discard', { body }))
        setAddress({ open: undefined })
        await fresh()
        done(`${plural(discarded, 'record')} discarded`)
      },
    })
  }
  return { replay, discard, fresh, question }
}
