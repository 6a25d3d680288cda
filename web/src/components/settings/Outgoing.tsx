import { Button, Skeleton, TagsInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Settings } from '@/api/types'
import { Failure } from '@/ui/Failure'
import { Panel } from '@/ui/Panel'
import { done } from '@/ui/toast'

/** Which targets inside the own network channels may reach. */
export function Outgoing() {
  const { data, error, refetch } = useQuery(ask.settings)
  if (error) return <Failure of={error} again={() => void refetch()} />
  if (!data) return <Skeleton height={180} />
  return <Form key={data.outgoing_allow.join()} settings={data} />
}

function Form({ settings }: { settings: Settings }) {
  const client = useQueryClient()
  const [allow, setAllow] = useState(settings.outgoing_allow)
  const [failure, setFailure] = useState<unknown>(null)
  const changed = allow.join() !== settings.outgoing_allow.join()
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await answer(http.PUT('/api/v1/settings', { body: { ...settings, outgoing_allow: allow } }))
      await client.invalidateQueries({ queryKey: ask.key('settings') })
      done('Allowed targets saved')
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <div style={{ maxWidth: 640 }}>
      <Panel>
        <form onSubmit={submit} className="stack">
          <TagsInput
            label="Targets inside that channels and witnesses may be reached at"
            description="Host names, addresses or networks, for example mail.internal, 10.0.0.5, 10.1.0.0/16. Without an entry here, every loopback, private and link-local target is refused, so that a channel can't be turned against the inside."
            placeholder="mail.internal"
            value={allow}
            onChange={setAllow}
            splitChars={[',', ' ', ';']}
            acceptValueOnBlur
          />
          {failure !== null && <Failure of={failure} />}
          <Button type="submit" disabled={!changed} style={{ alignSelf: 'flex-start' }}>
            Save
          </Button>
        </form>
      </Panel>
    </div>
  )
}
