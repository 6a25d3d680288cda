import { Button, Menu, Skeleton, Switch } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ChevronDown, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Application as Type, Device } from '@/api/types'
import { useMay } from '@/components/session'
import { Enrol } from '@/components/source/Enrol'
import classes from '@/components/source/Source.module.css'
import { count } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Fact, Facts, Panel, StateDot } from '@/ui/Panel'
import { Ago, Time } from '@/ui/Time'
import { done, failed } from '@/ui/toast'

export function Application() {
  const { name } = useParams({ strict: false }) as { name: string }
  const { data, error, refetch } = useQuery(ask.application(name))
  if (error) return <Page title={name}><Failure of={error} again={() => void refetch()} /></Page>
  if (!data) return <Page title={name}><Skeleton height={220} /></Page>
  return <One application={data} />
}

function One({ application }: { application: Type }) {
  const may = useMay()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asking, question] = useAsk()
  const [enrolling, setEnrolling] = useState(false)
  const manages = may('applications:manage')
  const path = { name: application.name }
  const fresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('applications') })
  const turn = async (enabled: boolean): Promise<void> => {
    const { name, title, description, owner } = application
    try {
      await answer(http.PUT('/api/v1/applications/{name}', { params: { path }, body: { name, title, description, owner, enabled, grants: [] } }))
    } catch (failure) {
      failed(failure)
    }
    await fresh()
  }
  const remove = (): void =>
    asking({
      title: 'Remove this application?',
      text: 'All its devices are out at once. What they sent stays in the trail.',
      action: 'Remove the application',
      name: application.name,
      run: async () => {
        await answer(http.DELETE('/api/v1/applications/{name}', { params: { path } }))
        await fresh()
        void navigate({ to: '/applications' })
      },
    })
  return (
    <Page
      title={application.title || application.name}
      lead={
        <>
          <StateDot tone={application.enabled ? 'ok' : 'idle'}>{application.enabled ? 'on' : 'off'}</StateDot> · <code>{application.name}</code>
          {application.description && ` · ${application.description}`}
        </>
      }
      actions={
        manages && (
          <>
            <Switch label="Takes events" checked={application.enabled} onChange={(e) => void turn(e.currentTarget.checked)} />
            <Button leftSection={<Plus size={14} />} onClick={() => setEnrolling(true)}>
              Enrol a device
            </Button>
            <Button variant="default" leftSection={<Trash2 size={14} />} onClick={remove}>
              Remove
            </Button>
          </>
        )
      }
    >
      {question}
      <div className={classes.columns}>
        <Panel title="What it is">
          <Facts>
            <Fact name="Owner">{application.owner || <span className="dim">nobody named</span>}</Fact>
            <Fact name="Last seen">
              <Ago at={application.last_seen_at} />
            </Fact>
            <Fact name="Made">
              <Time at={application.created_at} style="moment" /> by {application.created_by}
            </Fact>
          </Facts>
        </Panel>
        <Grants application={application} manages={manages} fresh={fresh} />
      </div>
      <Devices application={application.name} manages={manages} enrol={() => setEnrolling(true)} />
      <Waiting application={application.name} manages={manages} />
      {enrolling && <Enrol application={application.name} close={() => setEnrolling(false)} />}
    </Page>
  )
}

function Grants({ application, manages, fresh }: { application: Type; manages: boolean; fresh: () => Promise<void> }) {
  const sources = useQuery(ask.sources)
  const free = ['events', ...(sources.data?.items ?? []).map((s) => s.name)].filter((name, n, all) => name !== 'belfry' && all.indexOf(name) === n && !application.grants.some((g) => g.kind === 'source' && g.name === name))
  const change = async (run: () => Promise<unknown>): Promise<void> => {
    try {
      await run()
    } catch (failure) {
      failed(failure)
    }
    await fresh()
  }
  const give = (name: string): Promise<void> => change(() => answer(http.PUT('/api/v1/applications/{name}/grants', { params: { path: { name: application.name } }, body: { kind: 'source', name, rights: ['send'] } })))
  return (
    <Panel
      title="What is shared with it"
      aside={
        manages && (
          <Menu>
            <Menu.Target>
              <Button variant="default" size="compact-xs" rightSection={<ChevronDown size={13} />}>
                Let it send to
              </Button>
            </Menu.Target>
            <Menu.Dropdown mah={320} style={{ overflow: 'auto' }}>
              {free.map((name) => (
                <Menu.Item key={name} onClick={() => void give(name)}>
                  {name === 'events' ? 'events, no source needed' : name}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )
      }
      flush={application.grants.length > 0}
    >
      {application.grants.length === 0 ? (
        <span className="dim">Nothing: it may send nowhere yet.</span>
      ) : (
        <table className={classes.table}>
          <tbody>
            {application.grants.map((g) => (
              <tr key={`${g.kind} ${g.name}`}>
                <td>
                  {g.kind} <Link to={g.kind === 'source' ? `/sources/${g.name}` : `/mappings/${g.name}`}>{g.name}</Link>
                </td>
                <td>{g.rights.join(', ')}</td>
                <td className="number">
                  {manages && (
                    <Button
                      variant="default"
                      size="compact-xs"
                      aria-label={`Take back ${g.name}`}
                      onClick={() => void change(() => answer(http.DELETE('/api/v1/applications/{name}/grants/{kind}/{of}', { params: { path: { name: application.name, kind: g.kind, of: g.name } } })))}
                    >
                      Take back
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}

function Devices({ application, manages, enrol }: { application: string; manages: boolean; enrol: () => void }) {
  const { data, error } = useQuery(ask.devices(application))
  const client = useQueryClient()
  const [asking, question] = useAsk()
  if (error) return <Failure of={error} />
  if (!data) return <Skeleton height={160} />
  const fresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('applications') })
  const change = async (device: Device, part: { suspended?: boolean; networks?: string[] }): Promise<void> => {
    try {
      await answer(http.PUT('/api/v1/applications/{name}/devices/{id}', { params: { path: { name: application, id: device.id } }, body: part }))
      done(device.name, part.suspended === undefined ? (part.networks?.length ? `Locked to ${part.networks.join(', ')}.` : 'It may come from anywhere.') : part.suspended ? 'Suspended: what it sends is refused.' : 'In service again.')
    } catch (failure) {
      failed(failure)
    }
    await fresh()
  }
  const remove = (device: Device): void =>
    asking({
      title: 'Remove this device?',
      text: 'Its credential is void at once. What it sent stays in the trail.',
      action: 'Remove the device',
      name: device.name,
      run: async () => {
        await answer(http.DELETE('/api/v1/applications/{name}/devices/{id}', { params: { path: { name: application, id: device.id } } }))
        await fresh()
      },
    })
  return (
    <Panel title="Devices" flush>
      {question}
      {data.items.length === 0 ? (
        <Empty title="No device is enrolled" action={manages && <Button onClick={enrol}>Enrol a device</Button>}>
          A device shows a one-time token once, and gets a credential of its own for it.
        </Empty>
      ) : (
        <div className={classes.scroll} style={{ maxHeight: 'none' }} tabIndex={0} role="region" aria-label="Devices">
          <table className={classes.table}>
            <thead>
              <tr>
                <th>Device</th>
                <th>State</th>
                <th>Last seen</th>
                <th>Address</th>
                <th>Locked to</th>
                <th>Credential</th>
                <th className="number">Events</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {data.items.map((d) => (
                <tr key={d.id}>
                  <td>
                    <strong style={{ fontWeight: 550 }}>{d.name}</strong> {d.version && <span className="dim">{d.version}</span>}
                  </td>
                  <td>
                    <StateDot tone={d.suspended ? 'warn' : 'ok'}>{d.suspended ? 'suspended' : 'in service'}</StateDot>
                  </td>
                  <td>
                    <Ago at={d.last_seen_at} />
                  </td>
                  <td>{d.last_address ? <code>{d.last_address}</code> : <span className="dim">—</span>}</td>
                  <td>{d.networks.length > 0 ? <code>{d.networks.join(', ')}</code> : <span className="dim">anywhere</span>}</td>
                  <td>
                    {d.rotated_at ? 'rotated ' : 'enrolled '}
                    <Ago at={d.rotated_at ?? d.enrolled_at} />
                    {d.previous_until && (
                      <span className="dim">
                        , the old one until <Time at={d.previous_until} style="moment" />
                      </span>
                    )}
                  </td>
                  <td className="number">{count(d.events_total)}</td>
                  <td>
                    {manages && (
                      <Menu>
                        <Menu.Target>
                          <Button variant="default" size="compact-xs" aria-label={`What to do with ${d.name}`}>
                            …
                          </Button>
                        </Menu.Target>
                        <Menu.Dropdown>
                          <Menu.Item onClick={() => void change(d, { suspended: !d.suspended })}>{d.suspended ? 'Put into service again' : 'Suspend'}</Menu.Item>
                          {d.last_address && d.networks.length === 0 && <Menu.Item onClick={() => void change(d, { networks: [d.last_address ?? ''] })}>Lock to {d.last_address}</Menu.Item>}
                          {d.networks.length > 0 && <Menu.Item onClick={() => void change(d, { networks: [] })}>Let it come from anywhere</Menu.Item>}
                          <Menu.Divider />
                          <Menu.Item color="red" onClick={() => remove(d)}>
                            Remove…
                          </Menu.Item>
                        </Menu.Dropdown>
                      </Menu>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <p className="dim small" style={{ margin: '8px 16px' }}>
            A device rotates its credential itself, with <code>belfry credential rotate</code>; the old one stays good for an hour.
          </p>
        </div>
      )}
    </Panel>
  )
}

/** One-time tokens that nobody has used yet. */
function Waiting({ application, manages }: { application: string; manages: boolean }) {
  const { data } = useQuery(ask.enrolments(application))
  const client = useQueryClient()
  if (!data || data.items.length === 0) return null
  const cancel = async (id: string): Promise<void> => {
    try {
      await answer(http.DELETE('/api/v1/applications/{name}/enrolments/{id}', { params: { path: { name: application, id } } }))
    } catch (failure) {
      failed(failure)
    }
    await client.invalidateQueries({ queryKey: ask.key('applications') })
  }
  return (
    <Panel title="Tokens that wait for their device" flush>
      <div className={classes.scroll} tabIndex={0} role="region" aria-label="Tokens that wait for their device">
        <table className={classes.table}>
          <tbody>
            {data.items.map((e) => (
              <tr key={e.id}>
                <td>{e.device ?? <span className="dim">any device</span>}</td>
                <td>
                  good until <Time at={e.expires_at} style="moment" />, made by {e.created_by}
                </td>
                <td>{e.lock_to_first_address ? 'locks to its address' : e.networks.join(', ')}</td>
                <td className="number">
                  {manages && (
                    <Button variant="default" size="compact-xs" onClick={() => void cancel(e.id)}>
                      Withdraw
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
