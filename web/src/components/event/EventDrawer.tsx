import { ActionIcon, Menu, Modal, Skeleton, Tabs, TagsInput, Tooltip } from '@mantine/core'
import { useClipboard, useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { ChevronDown, ChevronUp, Ellipsis, FileDown, Link2, Mail, X } from 'lucide-react'
import { Suspense, lazy, useState } from 'react'
import { address, answer, http } from '@/api/client'
import { Problem } from '@/api/problem'
import * as ask from '@/api/queries'
import { count } from '@/lib/format'
import { at, changes, textAt } from '@/lib/record'
import { utc } from '@/lib/time'
import { DialogFoot } from '@/ui/DialogFoot'
import { Failure } from '@/ui/Failure'
import { SeverityMark } from '@/ui/Severity'
import { Time } from '@/ui/Time'
import { useKeys } from '@/ui/keys'
import { done, failed } from '@/ui/toast'
import { useTitles } from '../titles'
import { ChangesTab } from './ChangesTab'
import classes from './EventDrawer.module.css'
import { NotificationsTab } from './NotificationsTab'
import { RecordTab } from './RecordTab'
import { RelatedTab } from './RelatedTab'
import { RemovedEvent } from './RemovedEvent'
import { SummaryTab } from './SummaryTab'

// Hashing and signatures are loaded when somebody wants to see a proof.
const ProofTab = lazy(() => import('./ProofTab'))

interface Props {
  position: number
  tab: string
  onTab: (tab: string) => void
  onClose: () => void
  onStep?: (by: 1 | -1) => void
  onOpen: (position: number) => void
  /** Includes or excludes a value in the search behind the drawer. */
  onValue: (field: string, value: string, without: boolean) => void
}

/** One event with all that is known about it. */
export function EventDrawer({ position, tab, onTab, onClose, onStep, onOpen, onValue }: Props) {
  const { data, error, refetch } = useQuery(ask.event(position))
  const titles = useTitles()
  useKeys({ Escape: onClose })
  const event = data?.event
  const changed = event ? changes(event).length : 0
  return (
    <aside className={classes.drawer} aria-label="Event">
      <header className={classes.head}>
        <div className="row" style={{ gap: 2 }}>
          {onStep && (
            <>
              <Tooltip label="Newer (k)">
                <ActionIcon aria-label="Newer event" onClick={() => onStep(-1)}>
                  <ChevronUp size={16} />
                </ActionIcon>
              </Tooltip>
              <Tooltip label="Older (j)">
                <ActionIcon aria-label="Older event" onClick={() => onStep(1)}>
                  <ChevronDown size={16} />
                </ActionIcon>
              </Tooltip>
            </>
          )}
          <span className={`dim small grow ${classes.position}`}>position {count(position)}</span>
          {!error && <Actions position={position} />}
          <Tooltip label="Close (Esc)">
            <ActionIcon aria-label="Close the event" onClick={onClose}>
              <X size={16} />
            </ActionIcon>
          </Tooltip>
        </div>
        {event ? (
          <>
            <h2>{data.title || titles(textAt(event, 'event.action'))}</h2>
            <div className={classes.under}>
              <SeverityMark value={at(event, 'event.severity')} />
              <span className={textAt(event, 'event.outcome') === 'failure' ? classes.failure : undefined}>{textAt(event, 'event.outcome')}</span>
              <Time at={textAt(event, '@timestamp')} />
              <span className="dim">{utc(textAt(event, '@timestamp'))}</span>
            </div>
          </>
        ) : (
          !error && <Skeleton height={18} width="50%" my={14} />
        )}
      </header>
      {error &&
        (error instanceof Problem && error.status === 410 ? (
          <RemovedEvent position={position} onOpen={onOpen} />
        ) : (
          <div style={{ padding: 16 }}>
            <Failure of={error} again={() => void refetch()} />
          </div>
        ))}
      {event && (
        <Tabs value={tab} onChange={(t) => onTab(t ?? 'summary')} keepMounted={false} className={classes.tabs}>
          <Tabs.List px={12}>
            <Tabs.Tab value="summary">Summary</Tabs.Tab>
            <Tabs.Tab value="changes" disabled={changed === 0}>
              Changes{changed > 0 ? ` ${changed}` : ''}
            </Tabs.Tab>
            <Tabs.Tab value="related">Related</Tabs.Tab>
            <Tabs.Tab value="notifications">Notifications</Tabs.Tab>
            <Tabs.Tab value="record">Record</Tabs.Tab>
            <Tabs.Tab value="proof">Proof</Tabs.Tab>
          </Tabs.List>
          <div className={classes.body}>
            <Tabs.Panel value="summary">
              <SummaryTab event={event} onValue={onValue} />
            </Tabs.Panel>
            <Tabs.Panel value="changes">
              <ChangesTab event={event} />
            </Tabs.Panel>
            <Tabs.Panel value="related">
              <RelatedTab hit={data} onOpen={onOpen} />
            </Tabs.Panel>
            <Tabs.Panel value="notifications">
              <NotificationsTab position={position} />
            </Tabs.Panel>
            <Tabs.Panel value="record">
              <RecordTab detail={data} onValue={onValue} />
            </Tabs.Panel>
            <Tabs.Panel value="proof">
              <Suspense fallback={<Skeleton height={160} />}>
                <ProofTab key={position} position={position} />
              </Suspense>
            </Tabs.Panel>
          </div>
        </Tabs>
      )}
    </aside>
  )
}

function Actions({ position }: { position: number }) {
  const clipboard = useClipboard({ timeout: 1200 })
  const [mailing, mail] = useDisclosure(false)
  return (
    <>
      <Tooltip label={clipboard.copied ? 'Link copied' : 'Copy link'}>
        <ActionIcon aria-label="Copy link" onClick={() => clipboard.copy(`${location.origin}/events?open=${position}`)}>
          <Link2 size={16} />
        </ActionIcon>
      </Tooltip>
      <Menu>
        <Menu.Target>
          <ActionIcon aria-label="More actions">
            <Ellipsis size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<FileDown size={14} />} component="a" href={address(`/events/${position}/summary.pdf`)} download={`event-${position}.pdf`}>
            PDF summary
          </Menu.Item>
          <Menu.Item leftSection={<Mail size={14} />} onClick={mail.open}>
            Mail summary…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {mailing && <MailSummary position={position} close={mail.close} />}
    </>
  )
}

function MailSummary({ position, close }: { position: number; close: () => void }) {
  const [to, setTo] = useState<string[]>([])
  const [busy, setBusy] = useState(false)
  const send = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    try {
      await answer(http.POST('/api/v1/events/{position}/email', { params: { path: { position } }, body: { to } }))
      done('Summary sent', to.join(', '))
      close()
    } catch (failure) {
      failed(failure)
      setBusy(false)
    }
  }
  return (
    <Modal opened onClose={close} title={<strong>Mail the summary of event {count(position)}</strong>}>
      <form onSubmit={send} className="stack">
        <TagsInput label="To" placeholder={to.length === 0 ? 'name@example.com' : ''} description="Enter after each address. The PDF is attached." value={to} onChange={setTo} splitChars={[',', ' ', ';']} acceptValueOnBlur data-autofocus />
        <DialogFoot close={close} action="Send" ready={to.length > 0} busy={busy} />
      </form>
    </Modal>
  )
}
