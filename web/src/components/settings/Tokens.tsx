import { Button, Checkbox, Select, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Trash2 } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Privilege, Token } from '@/api/types'
import { DAY } from '@/lib/time'
import { useAsk } from '@/ui/Ask'
import { Command } from '@/ui/Copy'
import { TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { OpenList } from '@/ui/OpenList'
import { Chip, Fact, Facts } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { useMe } from '../session'

const COLUMNS: ReadonlyArray<TableColumn<Token>> = [
  { id: 'name', title: 'Token', width: 200, grow: true, render: (t) => <strong style={{ fontWeight: 550 }}>{t.name}</strong> },
  { id: 'user', title: 'Acts for', width: 150, render: (t) => t.user },
  {
    id: 'scopes',
    title: 'May',
    width: 320,
    grow: true,
    render: (t) => (
      <span className="row" style={{ gap: 4 }} title={t.scopes.join(', ')}>
        {t.scopes.slice(0, 4).map((s) => (
          <Chip key={s}>{s}</Chip>
        ))}
        {t.scopes.length > 4 && <span className="dim">and {t.scopes.length - 4} more</span>}
      </span>
    ),
  },
  { id: 'used', title: 'Last used', width: 130, render: (t) => <Ago at={t.last_used_at} /> },
  { id: 'expires', title: 'Expires', width: 130, render: (t) => <Expiry token={t} /> },
  { id: 'created', title: 'Made', width: 140, render: (t) => <Time at={t.created_at} style="moment" /> },
]

function Expiry({ token }: { token: Token }) {
  if (!token.expires_at) return <span className="dim">never</span>
  const left = Date.parse(token.expires_at) - Date.now()
  return <span style={{ color: left < 0 ? 'var(--bad)' : left < 14 * DAY ? 'var(--warn)' : undefined }}><Ago at={token.expires_at} /></span>
}

export function Tokens() {
  const [address, setAddress] = useAddress()
  const asked = useQuery(ask.tokens)
  const open = asked.data?.items.find((t) => t.id === address.open)
  const close = (): void => setAddress({ open: undefined })
  return (
    <>
      <OpenList
        name="tokens"
        columns={COLUMNS}
        asked={asked}
        rowKey={(t) => t.id}
        narrow={(t) => <TwoLines first={t.name} aside={<Ago at={t.last_used_at} never="not used" />} second={t.scopes.join(', ')} />}
        about="For programs: senders, command line, monitoring."
        make="New token"
        empty={<Empty title="No token yet">A sender needs one with the scope events:write.</Empty>}
      />
      {address.open === 'new' && <Make close={close} />}
      {open && <One token={open} close={close} />}
    </>
  )
}

function One({ token, close }: { token: Token; close: () => void }) {
  const client = useQueryClient()
  const [asking, question] = useAsk()
  return (
    <SidePanel label="Token" title={token.name} onClose={close}>
      {question}
      <Facts>
        <Fact name="Acts for">{token.user}</Fact>
        <Fact name="May">
          <span className="row wrap" style={{ gap: 4 }}>
            {token.scopes.map((s) => (
              <Chip key={s}>{s}</Chip>
            ))}
          </span>
        </Fact>
        <Fact name="Made">
          <Time at={token.created_at} style="moment" />
        </Fact>
        <Fact name="Last used">
          <Ago at={token.last_used_at} />
        </Fact>
        <Fact name="Expires">
          <Expiry token={token} />
        </Fact>
      </Facts>
      <Button
        color="red"
        variant="light"
        leftSection={<Trash2 size={14} />}
        style={{ alignSelf: 'flex-start' }}
        onClick={() =>
          asking({
            title: 'Revoke this token?',
            text: 'Whatever uses it is refused from now on.',
            action: 'Revoke the token',
            name: token.name,
            run: async () => {
              await answer(http.DELETE('/api/v1/tokens/{id}', { params: { path: { id: token.id } } }))
              await client.invalidateQueries({ queryKey: ask.key('tokens') })
              close()
            },
          })
        }
      >
        Revoke
      </Button>
    </SidePanel>
  )
}

const LIVES = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'one year' },
  { value: '', label: 'until it is revoked' },
]

function Make({ close }: { close: () => void }) {
  const me = useMe()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<string[]>(['events:write'])
  const [days, setDays] = useState('365')
  const [made, setMade] = useState<string | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      const expires_at = days === '' ? null : new Date(Date.now() + Number(days) * DAY).toISOString()
      const { token } = await answer(http.POST('/api/v1/tokens', { body: { name: name.trim(), scopes: scopes as Privilege[], expires_at } }))
      setMade(token)
      await client.invalidateQueries({ queryKey: ask.key('tokens') })
    } catch (cause) {
      setFailure(cause)
    }
  }
  if (made) {
    return (
      <SidePanel label="Token" title={name} onClose={close}>
        <p style={{ margin: 0 }}>This is the token. It is shown once, now, and kept only as a hash.</p>
        <Command>{made}</Command>
        <p style={{ margin: 0 }} className="dim">
          Try it:
        </p>
        <Command>{`export BELFRY_URL=${location.origin} BELFRY_TOKEN=${made}\nbelfry search --from now-1h`}</Command>
        <Button onClick={close} style={{ alignSelf: 'flex-start' }}>
          I have kept it
        </Button>
      </SidePanel>
    )
  }
  return (
    <SidePanel label="Token" title="New token" onClose={close}>
      <form onSubmit={submit} className="stack">
        <TextInput label="Name" description="What uses it." placeholder="vault-prod shipper" value={name} onChange={(e) => setName(e.currentTarget.value)} required withAsterisk={false} />
        <Checkbox.Group label="It may" value={scopes} onChange={setScopes}>
          <div style={{ display: 'grid', gridTemplateColumns: 'repeat(auto-fill, minmax(170px, 1fr))', gap: 8, marginTop: 8 }}>
            {(me?.privileges ?? []).map((p) => (
              <Checkbox key={p} value={p} label={<code>{p}</code>} />
            ))}
          </div>
        </Checkbox.Group>
        <Select label="It lives" value={days} onChange={(v) => setDays(v ?? '')} data={LIVES} />
        {failure !== null && <Failure of={failure} />}
        <Button type="submit" disabled={name.trim() === '' || scopes.length === 0} style={{ alignSelf: 'flex-start' }}>
          Make the token
        </Button>
      </form>
    </SidePanel>
  )
}
