import { Button, PasswordInput, Select, Switch, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Trash2 } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Role, User } from '@/api/types'
import { useAsk } from '@/ui/Ask'
import { TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { OpenList } from '@/ui/OpenList'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done } from '@/ui/toast'
import { useMe } from '../session'

const COLUMNS: ReadonlyArray<TableColumn<User>> = [
  { id: 'name', title: 'Name', width: 170, render: (u) => <strong style={{ fontWeight: 550 }}>{u.name}</strong> },
  { id: 'full', title: 'Full name', width: 180, grow: true, render: (u) => u.full_name || <span className="dim">—</span> },
  { id: 'email', title: 'Email', width: 220, grow: true, render: (u) => u.email || <span className="dim">—</span> },
  { id: 'role', title: 'Role', width: 130, render: (u) => u.role },
  { id: 'state', title: 'State', width: 110, render: (u) => <StateDot tone={u.disabled ? 'idle' : 'ok'}>{u.disabled ? 'locked' : 'active'}</StateDot> },
  { id: 'login', title: 'Last sign-in', width: 130, render: (u) => <Ago at={u.last_login_at} /> },
  { id: 'created', title: 'Made', width: 140, render: (u) => <Time at={u.created_at} style="moment" /> },
]

const ROLES: ReadonlyArray<{ value: Role; label: string; about: string }> = [
  { value: 'administrator', label: 'Administrator', about: 'May do everything.' },
  { value: 'auditor', label: 'Auditor', about: 'Reads, reports and verifies; changes nothing.' },
  { value: 'member', label: 'Member', about: 'Sees the notifications meant for them.' },
]

export function Users() {
  const [address, setAddress] = useAddress()
  const asked = useQuery(ask.users)
  const open = asked.data?.items.find((u) => u.id === address.open)
  const close = (): void => setAddress({ open: undefined })
  return (
    <>
      <OpenList
        name="users"
        columns={COLUMNS}
        asked={asked}
        rowKey={(u) => u.id}
        narrow={(u) => <TwoLines first={u.full_name || u.name} aside={u.disabled ? 'locked' : u.role} second={u.email || u.name} />}
        make="New user"
        empty={<Empty title="There is nobody" />}
      />
      {address.open === 'new' && <Editor key="new" close={close} />}
      {open && <Editor key={open.id} user={open} close={close} />}
    </>
  )
}

function Editor({ user, close }: { user?: User; close: () => void }) {
  const me = useMe()
  const client = useQueryClient()
  const [asking, question] = useAsk()
  const [draft, setDraft] = useState({ name: user?.name ?? '', full_name: user?.full_name ?? '', email: user?.email ?? '', role: user?.role ?? ('auditor' as Role), disabled: user?.disabled ?? false })
  const [password, setPassword] = useState('')
  const [failure, setFailure] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const own = user !== undefined && me?.user.id === user.id
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    setFailure(null)
    try {
      const body = { ...draft, name: draft.name.trim(), ...(password ? { password } : {}) }
      await answer(user ? http.PUT('/api/v1/users/{id}', { params: { path: { id: user.id } }, body }) : http.POST('/api/v1/users', { body: { ...body, password } }))
      await client.invalidateQueries({ queryKey: ask.key('users') })
      done(user ? 'User saved' : 'User made', body.name)
      close()
    } catch (cause) {
      setFailure(cause)
      setBusy(false)
    }
  }
  return (
    <SidePanel label="User" title={user ? user.full_name || user.name : 'New user'} onClose={close}>
      {question}
      {user && (
        <Facts>
          <Fact name="Last sign-in">
            <Ago at={user.last_login_at} />
          </Fact>
          <Fact name="Made">
            <Time at={user.created_at} style="moment" />
          </Fact>
        </Facts>
      )}
      <form onSubmit={submit} className="stack">
        <TextInput label="Name" description="Signs in with it, and stands under it in the trail." value={draft.name} onChange={(e) => setDraft({ ...draft, name: e.currentTarget.value })} autoComplete="off" required withAsterisk={false} />
        <TextInput label="Full name" value={draft.full_name} onChange={(e) => setDraft({ ...draft, full_name: e.currentTarget.value })} autoComplete="off" />
        <TextInput label="Email" type="email" value={draft.email} onChange={(e) => setDraft({ ...draft, email: e.currentTarget.value })} autoComplete="off" />
        <Select label="Role" description={ROLES.find((r) => r.value === draft.role)?.about} value={draft.role} onChange={(v) => setDraft({ ...draft, role: (v ?? 'member') as Role })} data={ROLES.map(({ value, label }) => ({ value, label }))} disabled={own} />
        <PasswordInput label={user ? 'New password' : 'Password'} description={user ? 'Empty: it stays. A new one ends all sessions of the user.' : 'At least 12 characters.'} value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="new-password" required={!user} withAsterisk={false} minLength={user && password === '' ? undefined : 12} />
        <Switch label="Locked: can't sign in" checked={draft.disabled} disabled={own} onChange={(e) => setDraft({ ...draft, disabled: e.currentTarget.checked })} />
        {failure !== null && <Failure of={failure} />}
        <div className="row">
          <Button type="submit" loading={busy}>
            {user ? 'Save' : 'Make the user'}
          </Button>
          <span className="grow" />
          {user && !own && (
            <Button
              variant="default"
              leftSection={<Trash2 size={14} />}
              onClick={() =>
                asking({
                  title: 'Delete this user?',
                  text: 'Their sessions and tokens end. What they did stays in the trail under their name.',
                  action: 'Delete the user',
                  name: user.name,
                  run: async () => {
                    await answer(http.DELETE('/api/v1/users/{id}', { params: { path: { id: user.id } } }))
                    await client.invalidateQueries({ queryKey: ask.key('users') })
                    close()
                  },
                })
              }
            >
              Delete
            </Button>
          )}
        </div>
      </form>
    </SidePanel>
  )
}
