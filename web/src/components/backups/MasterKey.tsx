import { Button, NumberInput, Textarea } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { KeyRound, Printer } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { BackupOverview, MasterKeyMade } from '@/api/types'
import { isShareOf } from '@/lib/share'
import { CopyButton } from '@/ui/Copy'
import { Failure } from '@/ui/Failure'
import { SidePanel } from '@/ui/SidePanel'
import { done } from '@/ui/toast'
import classes from './backups.module.css'
import { settingsOf } from './settings'

/** Makes a master key, shows its shares once, and puts it to use when somebody has proven to have written one down. */
export function MasterKey({ close, settings }: { close: () => void; settings?: BackupOverview }) {
  const [people, setPeople] = useState(5)
  const [threshold, setThreshold] = useState(3)
  const [made, setMade] = useState<MasterKeyMade | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  if (made) return <Shares made={made} settings={settings} close={close} />
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      setMade(await answer(http.POST('/api/v1/backups/master-key', { body: { shares: people, threshold } })))
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <SidePanel label="Master key" title="New master key" onClose={close}>
      <form onSubmit={submit} className="stack">
        <p style={{ margin: 0 }}>The key is split: any {threshold} of its {people} shares together open the backups, fewer tell nothing about it. Have paper or a printer at hand: the shares are shown once.</p>
        <div className={classes.numbers}>
          <NumberInput label="People" description="Each gets one share." min={1} max={20} value={people} onChange={(v) => setPeople(Number(v))} allowDecimal={false} clampBehavior="strict" />
          <NumberInput label="Needed to open" description="So many of them together." min={1} max={people} value={threshold} onChange={(v) => setThreshold(Number(v))} allowDecimal={false} clampBehavior="strict" />
        </div>
        {threshold === 1 && people > 1 && <p className={classes.warning}>Any one of them can open every backup alone.</p>}
        {threshold === people && people > 1 && <p className={classes.warning}>When a single share is lost, no backup can be opened any more.</p>}
        {settings?.recipient && (
          <p className={classes.warning}>
            Backups made so far stay with key <code>{settings.fingerprint}</code>: keep its shares as long as you keep them. The next backup is a full one.
          </p>
        )}
        {failure !== null && <Failure of={failure} />}
        <Button type="submit" leftSection={<KeyRound size={14} />} style={{ alignSelf: 'flex-start' }} disabled={!(threshold >= 1 && people >= threshold)}>
          Make the key
        </Button>
      </form>
    </SidePanel>
  )
}

function Shares({ made, settings, close }: { made: MasterKeyMade; settings?: BackupOverview; close: () => void }) {
  const client = useQueryClient()
  const [typed, setTyped] = useState('')
  const [failure, setFailure] = useState<unknown>(null)
  const right = isShareOf(typed, made.shares)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    if (!right) return
    setFailure(null)
    try {
      await answer(http.PUT('/api/v1/backups/settings', { body: { ...settingsOf(settings), recipient: made.recipient } }))
      await client.invalidateQueries({ queryKey: ask.key('backups') })
      done(`Master key ${made.fingerprint} is in use`)
      close()
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <SidePanel label="Master key" title={<>Master key {made.fingerprint}</>} onClose={close}>
      <p className={classes.warning}>
        These are the shares. They are shown this once and kept nowhere. Give each to another person, on paper. Without {made.threshold === 1 ? 'one' : made.threshold} of them no backup can ever be opened.
      </p>
      <Button variant="default" leftSection={<Printer size={14} />} onClick={() => window.print()} style={{ alignSelf: 'flex-start' }}>
        Print, one on each sheet
      </Button>
      <div className={`stack ${classes.sheets ?? ''}`}>
        {made.shares.map((share) => {
          const [head, ...code] = share.split('\n')
          return (
            <article key={head} className={classes.share}>
              <header>
                <strong className="grow">{head}</strong>
                <CopyButton value={share} label="Copy this share" />
              </header>
              <pre>{code.join('\n')}</pre>
            </article>
          )
        })}
      </div>
      <form onSubmit={submit} className="stack">
        <Textarea
          label="Type one of them back"
          description="From paper, to prove that it can be read. Letter case and blanks don't matter."
          value={typed}
          onChange={(e) => setTyped(e.currentTarget.value)}
          error={typed.trim() !== '' && !right && typed.replace(/[\s.,-]/g, '').length >= 90 ? 'That is none of the shares' : undefined}
          autosize
          minRows={3}
          autoComplete="off"
          spellCheck={false}
          classNames={{ input: classes.code }}
        />
        {failure !== null && <Failure of={failure} />}
        <Button type="submit" disabled={!right} style={{ alignSelf: 'flex-start' }}>
          Use this key
        </Button>
      </form>
    </SidePanel>
  )
}
