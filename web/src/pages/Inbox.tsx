import { Button, SegmentedControl } from '@mantine/core'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CheckCheck, MailOpen, Trash2 } from 'lucide-react'
import { useMemo, useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { InboxItem } from '@/api/types'
import { useMay } from '@/components/session'
import { count, plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { Chip, Fact, Facts } from '@/ui/Panel'
import { SeverityMark, SeverityShape } from '@/ui/Severity'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { failed } from '@/ui/toast'

const COLUMNS: ReadonlyArray<TableColumn<InboxItem>> = [
  { id: 'severity', title: 'Severity', width: 96, render: (i) => <SeverityMark value={i.severity} /> },
  { id: 'subject', title: 'Notification', width: 320, grow: true, render: (i) => i.subject },
  {
    id: 'state',
    title: 'State',
    width: 190,
    render: (i) => (i.acknowledged_at ? <span className="dim">acknowledged by {i.acknowledged_by}</span> : <Chip tone={i.read_at ? 'plain' : 'accent'}>{i.read_at ? 'open' : 'new'}</Chip>),
  },
  { id: 'at', title: 'Time', width: 150, render: (i) => <Time at={i.at} /> },
]

export function Inbox() {
  const [address, setAddress] = useAddress()
  const show = address.show ?? 'open'
  const client = useQueryClient()
  const [chosen, setChosen] = useState<Set<string>>(new Set())
  const [asking, question] = useAsk()
  const found = useInfiniteQuery(ask.inbox(show === 'unread'))
  const items = useMemo(() => {
    const all = found.data?.pages.flatMap((p) => p.items) ?? []
    return show === 'open' ? all.filter((i) => !i.acknowledged_at) : all
  }, [found.data, show])
  const open = items.find((i) => i.id === address.open) ?? found.data?.pages.flatMap((p) => p.items).find((i) => i.id === address.open)

  const act = async (what: 'read' | 'acknowledge' | 'delete', ids: string[] | 'all'): Promise<void> => {
    await answer(http.POST(`/api/v1/inbox/${what}`, { body: ids === 'all' ? { all: true } : { ids } }))
    setChosen(new Set())
    await client.invalidateQueries({ queryKey: ask.key('inbox') })
  }
  const quietly = (what: 'read' | 'acknowledge', ids: string[] | 'all'): void => void act(what, ids).catch(failed)
  const remove = (ids: string[]): void =>
    asking({
      title: `Delete ${plural(ids.length, 'notification')}?`,
      text: 'A deleted notification is gone for everyone, not only for you. The event it tells of stays in the trail.',
      action: 'Delete for everyone',
      run: async () => {
        await act('delete', ids)
        setAddress({ open: undefined })
      },
    })
  const openItem = (i: InboxItem): void => {
    setAddress({ open: i.id }, { push: address.open === undefined })
    if (!i.read_at) quietly('read', [i.id])
  }
  const unread = found.data?.pages[0]?.unread ?? 0
  const ids = [...chosen]
  return (
    <Page
      fill
      title="Inbox"
      actions={
        <>
          <SegmentedControl
            value={show}
            onChange={(v) => setAddress({ show: v === 'open' ? undefined : v, open: undefined })}
            data={[
              { value: 'open', label: 'Open' },
              { value: 'unread', label: `Unread ${unread > 0 ? count(unread) : ''}` },
              { value: 'all', label: 'All' },
            ]}
          />
          <Button variant="default" leftSection={<MailOpen size={14} />} disabled={unread === 0} onClick={() => quietly('read', 'all')}>
            Mark all read
          </Button>
        </>
      }
    >
      {question}
      {found.error && <Failure of={found.error} again={() => void found.refetch()} />}
      <Listing
        bar={
          ids.length > 0 && (
            <>
              <strong>{count(ids.length)} chosen</strong>
              <Button leftSection={<CheckCheck size={14} />} onClick={() => quietly('acknowledge', ids)}>
                Acknowledge
              </Button>
              <Button variant="default" onClick={() => quietly('read', ids)}>
                Mark read
              </Button>
              <Button variant="default" color="red" leftSection={<Trash2 size={14} />} onClick={() => remove(ids)}>
                Delete
              </Button>
            </>
          )
        }
      >
        <DataTable
          name="inbox"
          columns={COLUMNS}
          rows={items}
          rowKey={(i) => i.id}
          open={address.open}
          onOpen={openItem}
          onClose={() => setAddress({ open: undefined })}
          chosen={chosen}
          onChoose={setChosen}
          loading={found.isPending || found.isFetchingNextPage}
          more={found.hasNextPage}
          onMore={() => void found.fetchNextPage()}
          mark={(i) => (i.read_at ? undefined : 'strong')}
          narrow={(i) => (
            <TwoLines
              first={
                <span className="row" style={{ gap: 7 }}>
                  <SeverityShape value={i.severity} />
                  <span className="clip">{i.subject}</span>
                </span>
              }
              aside={<Ago at={i.at} />}
              second={i.acknowledged_at ? `acknowledged by ${i.acknowledged_by}` : i.text}
            />
          )}
          empty={!found.error && <Nothing show={show} />}
        />
      </Listing>
      {open && (
        <SidePanel
          label="Notification"
          title={open.subject}
          onClose={() => setAddress({ open: undefined })}
        >
          <div className="row wrap">
            {!open.acknowledged_at && (
              <Button size="sm" leftSection={<CheckCheck size={15} />} onClick={() => quietly('acknowledge', [open.id])}>
                Acknowledge
              </Button>
            )}
            {open.position != null && <SeeEvent position={open.position} />}
            <Button size="sm" variant="default" leftSection={<Trash2 size={14} />} onClick={() => remove([open.id])}>
              Delete
            </Button>
          </div>
          <pre style={{ margin: 0, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', font: 'inherit' }}>{open.text}</pre>
          <Facts>
            <Fact name="Severity">
              <SeverityMark value={open.severity} />
            </Fact>
            <Fact name="Time">
              <Time at={open.at} /> <span className="dim">(<Ago at={open.at} />)</span>
            </Fact>
            {open.position != null && <Fact name="Position">{count(open.position)}</Fact>}
            <Fact name="Acknowledged">
              {open.acknowledged_at ? (
                <>
                  by {open.acknowledged_by}, <Time at={open.acknowledged_at} />
                </>
              ) : (
                <span className="dim">not yet</span>
              )}
            </Fact>
          </Facts>
        </SidePanel>
      )}
    </Page>
  )
}

function SeeEvent({ position }: { position: number }) {
  const may = useMay()
  if (!may('events:read')) return null
  return (
    <Button size="sm" variant="default" component={Link} to="/events" {...({ search: { open: String(position) } } as object)}>
      Open the event
    </Button>
  )
}

function Nothing({ show }: { show: string }) {
  if (show === 'unread') return <Empty title="Everything is read" />
  return (
    <Empty title={show === 'open' ? 'Nothing waits for you' : 'Nothing has come in yet'} action={<Link to="/rules">See the rules</Link>}>
      Rules put notifications here when one of their recipients is the inbox.
    </Empty>
  )
}
