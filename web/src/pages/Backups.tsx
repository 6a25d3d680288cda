import { Button, Menu, Progress } from '@mantine/core'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Archive, CalendarClock, ChevronDown, KeyRound } from 'lucide-react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Backup, BackupOverview } from '@/api/types'
import { BackupCard } from '@/components/backups/BackupCard'
import { MasterKey } from '@/components/backups/MasterKey'
import { Plan } from '@/components/backups/Plan'
import { useMay } from '@/components/session'
import { bytes, count } from '@/lib/format'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { StateDot } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { failed } from '@/ui/toast'
import classes from './Backups.module.css'

const TYPES = { full: 'Full', incremental: 'Incremental' } as const
const REASONS = { scheduled: 'Scheduled', asked: 'Asked for' } as const
const TONES = { running: 'busy', done: 'ok', failed: 'bad', cancelled: 'idle', missing: 'warn' } as const

function State({ of }: { of: Backup }) {
  const part = of.progress && of.progress.total_bytes > 0 ? (of.progress.done_bytes / of.progress.total_bytes) * 100 : 0
  if (of.progress) {
    return (
      <span className={classes.running}>
        <Progress value={part} animated size="sm" className="grow" aria-label={of.state === 'running' ? 'Progress of the backup' : 'Progress of the drill'} />
        <span className="dim small">{of.progress.phase.replace('_', ' ')}</span>
      </span>
    )
  }
  return <StateDot tone={TONES[of.state]}>{of.state}</StateDot>
}

const COLUMNS: ReadonlyArray<TableColumn<Backup>> = [
  { id: 'type', title: 'Type', width: 100, render: (b) => TYPES[b.kind] },
  { id: 'reason', title: 'Reason', width: 95, render: (b) => REASONS[b.reason] },
  { id: 'started', title: 'Start', width: 140, render: (b) => <Time at={b.started_at} /> },
  { id: 'ended', title: 'End', width: 140, render: (b) => <Time at={b.ended_at} /> },
  { id: 'by', title: 'Requested by', width: 120, grow: true, render: (b) => b.by },
  { id: 'state', title: 'State', width: 160, render: (b) => <State of={b} /> },
  { id: 'events', title: 'Events', width: 95, align: 'right', render: (b) => (b.tree_size == null ? <span className="dim">—</span> : count(b.tree_size)) },
  { id: 'size', title: 'Size', width: 80, align: 'right', render: (b) => (b.size_bytes == null ? <span className="dim">—</span> : bytes(b.size_bytes)) },
  {
    id: 'drill',
    title: 'Last drill',
    width: 110,
    render: (b) => (b.check ? <StateDot tone={b.check.ok ? 'ok' : 'bad'}>{b.check.ok ? <Ago at={b.check.at} /> : 'failed'}</StateDot> : <span className="dim">—</span>),
  },
  {
    id: 'get',
    title: '',
    width: 92,
    render: (b) =>
      b.download ? (
        <a href={b.download} download onClick={(e) => e.stopPropagation()}>
          Download
        </a>
      ) : null,
  },
]

export function Backups() {
  const [address, setAddress] = useAddress()
  const list = useInfiniteQuery(ask.backups)
  const settings = useQuery(ask.backupSettings)
  const may = useMay()
  const rows = list.data?.pages.flatMap((p) => p.items) ?? []
  const open = rows.find((b) => b.id === address.open)
  const close = (): void => setAddress({ open: undefined })
  const keyed = Boolean(settings.data?.recipient)
  return (
    <Page
      fill
      title="Backups"
      lead="Encrypted to a master key that only people have: this server makes them and can't read them."
      actions={
        <>
          <Button variant="default" leftSection={<CalendarClock size={14} />} onClick={() => setAddress({ open: 'settings' })}>
            Schedule
          </Button>
          {may('backups:manage') && keyed && <Make busy={rows.some((b) => b.state === 'running')} />}
        </>
      }
    >
      {list.error && <Failure of={list.error} again={() => void list.refetch()} />}
      {settings.data && <Summary of={settings.data} newest={rows.find((b) => b.state === 'done')} />}
      <Listing>
        <DataTable
          name="backups"
          columns={COLUMNS}
          rows={rows}
          rowKey={(b) => b.id}
          open={open?.id}
          onOpen={(b) => setAddress({ open: b.id })}
          onClose={close}
          loading={list.isPending || list.isFetchingNextPage}
          more={list.hasNextPage}
          onMore={() => void list.fetchNextPage()}
          narrow={(b) => (
            <TwoLines
              first={`${TYPES[b.kind]} · ${b.progress ? b.progress.phase.replace('_', ' ') : b.state}`}
              aside={<Ago at={b.started_at} />}
              second={`${REASONS[b.reason]} · ${b.by}${b.tree_size == null ? '' : ` · ${count(b.tree_size)} events`}${b.size_bytes == null ? '' : ` · ${bytes(b.size_bytes)}`}`}
            />
          )}
          empty={!list.error && <Nothing keyed={keyed} manages={may('backups:manage')} make={() => setAddress({ open: 'key' })} />}
        />
      </Listing>
      {address.open === 'key' && <MasterKey close={close} settings={settings.data} />}
      {address.open === 'settings' && settings.data && <Plan close={close} settings={settings.data} makeKey={() => setAddress({ open: 'key' })} />}
      {open && (
        <SidePanel label="Backup" title={`${TYPES[open.kind]} backup`} onClose={close}>
          <BackupCard backup={open} gone={close} />
        </SidePanel>
      )}
    </Page>
  )
}

function Nothing({ keyed, manages, make }: { keyed: boolean; manages: boolean; make: () => void }) {
  if (keyed) return <Empty title="No backup yet">Make the first one now, or turn the schedule on.</Empty>
  return (
    <Empty
      title="No master key yet"
      action={
        manages && (
          <Button leftSection={<KeyRound size={14} />} onClick={make}>
            Make a master key
          </Button>
        )
      }
    >
      Backups are encrypted to a master key. It is split among people: as many shares as you say open a backup, fewer tell nothing.
      {!manages && ' An administrator makes it.'}
    </Empty>
  )
}

function Summary({ of, newest }: { of: BackupOverview; newest?: Backup }) {
  if (!of.recipient) return null
  return (
    <p className={classes.summary}>
      <span>
        Master key <code>{of.fingerprint}</code>
      </span>
      <span>{of.scheduled ? <>Next backup <Time at={of.next_at} style="moment" /></> : 'No schedule: backups are made when asked for'}</span>
      <span>{newest ? <>Newest <Ago at={newest.started_at} /></> : 'None made yet'}</span>
      {newest && !newest.check && <span className={classes.hint}>Not drilled yet: prove that the shares open it</span>}
    </p>
  )
}

function Make({ busy }: { busy: boolean }) {
  const client = useQueryClient()
  const start = async (kind: Backup['kind']): Promise<void> => {
    try {
      await answer(http.POST('/api/v1/backups', { body: { kind } }))
    } catch (failure) {
      failed(failure)
    }
    await client.invalidateQueries({ queryKey: ask.key('backups') })
  }
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button leftSection={<Archive size={14} />} rightSection={<ChevronDown size={14} />} disabled={busy}>
          Back up now
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => void start('incremental')}>Incremental: what is new since the last</Menu.Item>
        <Menu.Item onClick={() => void start('full')}>Full: everything</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
