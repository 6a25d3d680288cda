import { Autocomplete, Button, NumberInput, Switch, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { KeyRound } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { BackupOverview } from '@/api/types'
import { useMay } from '@/components/session'
import { Failure } from '@/ui/Failure'
import { Fact, Facts } from '@/ui/Panel'
import { SidePanel } from '@/ui/SidePanel'
import { Time } from '@/ui/Time'
import { done } from '@/ui/toast'
import { settingsOf } from './settings'
import classes from './backups.module.css'

const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone')]

/** When backups are made by themselves, how many are kept, and for which key. */
export function Plan({ close, settings, makeKey }: { close: () => void; settings: BackupOverview; makeKey: () => void }) {
  const client = useQueryClient()
  const may = useMay()
  const manages = may('backups:manage')
  const [wish, setWish] = useState(settingsOf(settings))
  const [failure, setFailure] = useState<unknown>(null)
  const changed = JSON.stringify(wish) !== JSON.stringify(settingsOf(settings))
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await answer(http.PUT('/api/v1/backups/settings', { body: wish }))
      await client.invalidateQueries({ queryKey: ask.key('backups') })
      done('Schedule saved')
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <SidePanel label="Schedule" title="Schedule and master key" onClose={close}>
      <Facts>
        <Fact name="Master key">{settings.fingerprint ? <code>{settings.fingerprint}</code> : <span className="dim">none yet</span>}</Fact>
        <Fact name="Next backup">{settings.next_at ? <Time at={settings.next_at} style="moment" /> : <span className="dim">only when asked for</span>}</Fact>
        <Fact name="Folder">
          <code>{settings.folder}</code>
        </Fact>
      </Facts>
      {manages && (
        <Button variant="default" leftSection={<KeyRound size={14} />} onClick={makeKey} style={{ alignSelf: 'flex-start' }}>
          {settings.recipient ? 'Replace the master key' : 'Make a master key'}
        </Button>
      )}
      <form onSubmit={submit}>
        <fieldset disabled={!manages} className="stack" style={{ border: 0, margin: 0, padding: 0 }}>
          <Switch
            label="Make backups by themselves"
            description={settings.recipient ? undefined : 'Needs a master key first.'}
            checked={wish.scheduled}
            disabled={!settings.recipient || !manages}
            onChange={(e) => setWish({ ...wish, scheduled: e.currentTarget.checked })}
          />
          <TextInput
            label="When"
            description="A cron expression: minute, hour, day, month, weekday. 30 2 * * * is every night at half past two."
            value={wish.cron}
            onChange={(e) => setWish({ ...wish, cron: e.currentTarget.value })}
            classNames={{ input: classes.code }}
            spellCheck={false}
          />
          <Autocomplete label="Time zone" description="Where that clock hangs." value={wish.zone} onChange={(zone) => setWish({ ...wish, zone })} data={ZONES} limit={50} />
          <div className={classes.numbers}>
            <NumberInput label="Every so many is full" description="The others hold what is new." min={1} max={100} value={wish.full_every} onChange={(v) => setWish({ ...wish, full_every: Number(v) })} allowDecimal={false} />
            <NumberInput label="Kept" description="And what they build on; 0: all." min={0} max={10_000} value={wish.keep} onChange={(v) => setWish({ ...wish, keep: Number(v) })} allowDecimal={false} />
          </div>
          {failure !== null && <Failure of={failure} />}
          <Button type="submit" disabled={!changed} style={{ alignSelf: 'flex-start' }}>
            Save
          </Button>
        </fieldset>
      </form>
    </SidePanel>
  )
}
