import { Button, PasswordInput } from '@mantine/core'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import { Failure } from '@/ui/Failure'
import { Panel } from '@/ui/Panel'
import { done } from '@/ui/toast'
import { useMe } from '../session'

const LEAST = 12

export function Password() {
  const me = useMe()
  const [current, setCurrent] = useState('')
  const [fresh, setFresh] = useState('')
  const [again, setAgain] = useState('')
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await answer(http.PUT('/api/v1/session/password', { body: { current, new: fresh } }))
      done('Password changed', 'Your other sessions have ended.')
      setCurrent('')
      setFresh('')
      setAgain('')
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <div style={{ maxWidth: 440 }}>
      <Panel>
        <form onSubmit={submit} className="stack">
          <input type="hidden" name="username" autoComplete="username" value={me?.user.name ?? ''} readOnly />
          <PasswordInput label="Current password" autoComplete="current-password" value={current} onChange={(e) => setCurrent(e.currentTarget.value)} required withAsterisk={false} />
          <PasswordInput label="New password" description={`At least ${LEAST} characters. A few words are better than signs.`} autoComplete="new-password" value={fresh} onChange={(e) => setFresh(e.currentTarget.value)} required withAsterisk={false} error={fresh !== '' && fresh.length < LEAST ? `${LEAST - fresh.length} more characters` : null} />
          <PasswordInput label="New password again" autoComplete="new-password" value={again} onChange={(e) => setAgain(e.currentTarget.value)} required withAsterisk={false} error={again !== '' && again !== fresh ? 'This is another one' : null} />
          {failure !== null && <Failure of={failure} />}
          <Button type="submit" disabled={current === '' || fresh.length < LEAST || fresh !== again} style={{ alignSelf: 'flex-start' }}>
            Change the password
          </Button>
        </form>
      </Panel>
    </div>
  )
}
