import { Button, Progress, Textarea } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Download, KeyRound, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Backup } from '@/api/types'
import { rootHex } from '@/components/TrailState'
import { useMay } from '@/components/session'
import { abbreviate, bytes, count, plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Command, CopyText } from '@/ui/Copy'
import { Failure } from '@/ui/Failure'
import { Fact, Facts, StateDot } from '@/ui/Panel'
import { Time } from '@/ui/Time'
import { failed } from '@/ui/toast'
import classes from './backups.module.css'

const PHASES = { state: 'Copying the state', writing: 'Reading, encrypting and writing', reading_back: 'Reading back what was written', checking: 'Opening it and reading every byte' } as const

/** One backup: its progress while something is done with it, what it is, and the drill. */
export function BackupCard({ backup, gone }: { backup: Backup; gone: () => void }) {
  const client = useQueryClient()
  const may = useMay()
  const [asking, question] = useAsk()
  const refresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('backups') })
  const needed = backup.needed_by.length
  const remove = (): void =>
    asking({
      title: 'Delete this backup?',
      text: 'Its file is removed. What is in no other backup can\'t be brought back from it any more.',
      action: 'Delete the backup',
      name: backup.id,
      run: async () => {
        await answer(http.DELETE('/api/v1/backups/{id}', { params: { path: { id: backup.id } } }))
        await refresh()
        gone()
      },
    })
  return (
    <div className="stack">
      {question}
      {backup.progress && <Running backup={backup} refresh={refresh} />}
      {backup.error && <p className={classes.error}>{backup.error}</p>}
      <Facts>
        <Fact name="State">{backup.state}</Fact>
        <Fact name="Requested by">
          {backup.by}, {backup.reason === 'scheduled' ? 'by the schedule' : 'asked for'}
        </Fact>
        <Fact name="Start">
          <Time at={backup.started_at} style="moment" />
        </Fact>
        <Fact name="End">
          <Time at={backup.ended_at} style="moment" />
        </Fact>
        {backup.parent && (
          <Fact name="Builds on">
            <CopyText value={backup.parent} label="id of the backup before" />
          </Fact>
        )}
        {backup.tree_size != null && <Fact name="Events">{count(backup.tree_size)}</Fact>}
        {backup.root && (
          <Fact name="Root hash">
            <CopyText value={rootHex(backup.root)} shown={abbreviate(rootHex(backup.root), 10)} label="root hash" />
          </Fact>
        )}
        {backup.files != null && (
          <Fact name="Files">
            {count(backup.files)}, {count(backup.files_new ?? 0)} of them in this one
          </Fact>
        )}
        {backup.size_bytes != null && <Fact name="Size">{bytes(backup.size_bytes)}</Fact>}
        {backup.sha256 && (
          <Fact name="SHA-256">
            <CopyText value={backup.sha256} shown={abbreviate(backup.sha256, 10)} label="hash of the file" />
          </Fact>
        )}
        <Fact name="Master key">
          <code>{backup.fingerprint}</code>
        </Fact>
        <Fact name="Id">
          <CopyText value={backup.id} label="id" />
        </Fact>
      </Facts>
      {backup.download && (
        <Button component="a" href={backup.download} download leftSection={<Download size={14} />} style={{ alignSelf: 'flex-start' }}>
          Download
        </Button>
      )}
      {backup.state === 'done' && <Drill key={backup.id} backup={backup} refresh={refresh} />}
      {backup.download && (
        <details className={classes.how}>
          <summary>How to restore it</summary>
          <p className="small">On any machine with Belfry, with this file and those it builds on in one folder. It reads every byte and verifies the trail before the new data folder gets its name.</p>
          <Command>{`belfry restore --from FOLDER --to-backup ${backup.id} --shares --data NEWDIR`}</Command>
        </details>
      )}
      {may('backups:manage') && backup.state !== 'running' && (
        <div>
          <Button color="red" variant="light" leftSection={<Trash2 size={14} />} disabled={needed > 0 || Boolean(backup.progress)} onClick={remove}>
            Delete
          </Button>
          {needed > 0 && <p className="dim small">{plural(needed, 'backup builds', 'backups build')} on it, so it stays.</p>}
        </div>
      )}
    </div>
  )
}

function Running({ backup, refresh }: { backup: Backup; refresh: () => Promise<void> }) {
  const may = useMay()
  const progress = backup.progress
  if (!progress) return null
  const part = progress.total_bytes > 0 ? (progress.done_bytes / progress.total_bytes) * 100 : 0
  const cancel = async (): Promise<void> => {
    try {
      await answer(http.POST('/api/v1/backups/{id}/cancel', { params: { path: { id: backup.id } } }))
    } catch (failure) {
      failed(failure)
    }
    await refresh()
  }
  return (
    <div className={classes.running} role="status">
      <div className="row">
        <span className="grow">{PHASES[progress.phase]}</span>
        {may('backups:manage') && (
          <Button variant="default" onClick={() => void cancel()}>
            Cancel
          </Button>
        )}
      </div>
      <Progress value={part} animated aria-label="Progress" />
      <span className="dim small">
        {bytes(progress.done_bytes)} of {bytes(progress.total_bytes)}
        {progress.seconds_left != null && `, ${plural(progress.seconds_left, 'second')} left`}
      </span>
    </div>
  )
}

/** Proves that the shares still open it. They are sent once, and kept nowhere. */
function Drill({ backup, refresh }: { backup: Backup; refresh: () => Promise<void> }) {
  const may = useMay()
  const [shares, setShares] = useState('')
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<unknown>(null)
  const [open, setOpen] = useState(false)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    setFailure(null)
    try {
      await answer(http.POST('/api/v1/backups/{id}/check', { params: { path: { id: backup.id } }, body: { shares: [shares] } }))
      setShares('')
      setOpen(false)
    } catch (cause) {
      setFailure(cause)
    }
    setBusy(false)
    await refresh()
  }
  return (
    <section className={classes.drill}>
      <h3>Recovery drill</h3>
      {backup.check ? (
        <p className={backup.check.ok ? undefined : classes.error}>
          <StateDot tone={backup.check.ok ? 'ok' : 'bad'}>{backup.check.ok ? 'The shares opened it, and every byte was right' : (backup.check.what ?? 'It failed')}</StateDot>{' '}
          <span className="dim small">
            {backup.check.by}, <Time at={backup.check.at} style="moment" />
          </span>
        </p>
      ) : (
        <p className="dim">Nobody has proven yet that the shares open this backup.</p>
      )}
      {may('backups:manage') && !open && (
        <Button variant="default" leftSection={<KeyRound size={14} />} disabled={Boolean(backup.progress)} onClick={() => setOpen(true)}>
          Start a drill
        </Button>
      )}
      {open && (
        <form onSubmit={submit} className="stack">
          <Textarea
            label="Shares"
            description={`As many as it takes of master key ${backup.fingerprint}, one after the other. The backup and all it builds on are opened and read to the last byte; nothing is restored, and the shares are not kept.`}
            value={shares}
            onChange={(e) => setShares(e.currentTarget.value)}
            autosize
            minRows={5}
            maxRows={16}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
            classNames={{ input: classes.code }}
          />
          {failure !== null && <Failure of={failure} />}
          <div className="row">
            <Button type="submit" loading={busy} disabled={shares.trim() === ''}>
              Prove it
            </Button>
            <Button variant="default" onClick={() => setOpen(false)}>
              Not now
            </Button>
          </div>
        </form>
      )}
    </section>
  )
}
