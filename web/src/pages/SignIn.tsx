import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import { Failure } from '@/ui/Failure'
import { Bell } from '@/ui/Logo'
import type { Address } from '@/ui/address'
import classes from './SignIn.module.css'

export function SignIn() {
  useDocumentTitle('Sign in · Belfry')
  const client = useQueryClient()
  const router = useRouter()
  const navigate = useNavigate()
  const { then } = useSearch({ strict: false }) as Address
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [failure, setFailure] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)

  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    setFailure(null)
    try {
      client.setQueryData(ask.me.queryKey, await answer(http.POST('/api/v1/session', { body: { name: name.trim(), password } })))
      // Only ways within this console: an address of somebody else's page is not followed.
      if (then?.startsWith('/') && !then.startsWith('//')) router.history.push(then)
      else void navigate({ to: '/' })
    } catch (cause) {
      setFailure(cause)
      setPassword('')
      setBusy(false)
    }
  }

  return (
    <div className={classes.page}>
      <main className={classes.card}>
        <div className={classes.brand}>
          <Bell size={40} />
          <h1>Belfry</h1>
          <p>The audit trail of privileged access</p>
        </div>
        <form onSubmit={submit} className="stack">
          <TextInput label="Name" name="username" autoComplete="username" autoFocus required withAsterisk={false} value={name} onChange={(e) => setName(e.currentTarget.value)} />
          <PasswordInput label="Password" name="password" autoComplete="current-password" required withAsterisk={false} value={password} onChange={(e) => setPassword(e.currentTarget.value)} />
          {failure !== null && <Failure of={failure} />}
          <Button type="submit" size="sm" fullWidth loading={busy} mt={4}>
            Sign in
          </Button>
        </form>
        <p className={classes.note}>Every sign-in, and every failed one, is an event in the trail.</p>
      </main>
    </div>
  )
}
