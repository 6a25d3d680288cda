import { ActionIcon, Button, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Trail, Witness } from '@/api/types'
import { count } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { CopyButton } from '@/ui/Copy'
import { Failure } from '@/ui/Failure'
import { Panel, StateDot } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { done } from '@/ui/toast'
import { useMay } from './session'
import classes from './Witnesses.module.css'

type Setting = Pick<Witness, 'vkey' | 'url'>

function stand(witness: Witness): { tone: 'ok' | 'warn' | 'bad' | 'idle'; words: string } {
  if (witness.contradicts) return { tone: 'bad', words: 'has seen another trail' }
  if (witness.lost) return { tone: 'bad', words: 'lost' }
  if (witness.error) return { tone: 'warn', words: 'did not cosign' }
  if (witness.size === null || witness.size === undefined) return { tone: 'idle', words: 'not asked yet' }
  return { tone: 'ok', words: 'cosigns' }
}

/** Who else has seen that the trail only grew. */
export function Witnesses({ trail }: { trail: Trail }) {
  const client = useQueryClient()
  const may = useMay()
  const [adding, setAdding] = useState(false)
  const [confirm, question] = useAsk()
  const settle = async (change: (now: Setting[]) => Setting[]): Promise<void> => {
    const settings = await answer(http.GET('/api/v1/settings'))
    await answer(http.PUT('/api/v1/settings', { body: { ...settings, witnesses: change(settings.witnesses) } }))
    await client.invalidateQueries({ queryKey: ask.key('settings') })
    await client.invalidateQueries({ queryKey: ask.key('trail') })
  }
  const remove = (witness: Witness): void =>
    confirm({
      title: `Ask ${witness.name} no more?`,
      text: 'Cosignatures that it gave stay valid.',
      action: 'Remove',
      run: async () => {
        await settle((now) => now.filter((one) => one.vkey !== witness.vkey))
        done('Witness removed')
      },
    })
  const writes = may('settings:write')
  return (
    <Panel
      title="Witnesses"
      aside={
        writes && (
          <Button size="compact-sm" variant="default" leftSection={<Plus size={13} />} onClick={() => setAdding(!adding)}>
            Add witness
          </Button>
        )
      }
    >
      {question}
      {trail.witnesses.length === 0 && !adding && (
        <p className="dim">
          None. A witness is somebody else's server that cosigns a checkpoint only if the trail did nothing but grow since the last one. With
          its cosignatures nobody, not even who holds the signing key, can show two different trails.
        </p>
      )}
      {trail.witnesses.length > 0 && (
        <div className={classes.wide}>
          <table className={classes.table}>
            <thead>
              <tr>
                <th>Witness</th>
                <th>State</th>
                <th className={classes.number}>Cosigned</th>
                <th className={classes.number}>Behind</th>
                <th>When</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {trail.witnesses.map((w) => (
                <tr key={w.vkey}>
                  <td>
                    <strong title={w.vkey}>{w.name}</strong>
                    <div className="dim small">{w.url}</div>
                  </td>
                  <td>
                    <StateDot tone={stand(w).tone}>{stand(w).words}</StateDot>
                    {w.error && <div className="dim small">{w.error}</div>}
                  </td>
                  <td className={classes.number}>{w.size === null || w.size === undefined ? '—' : count(w.size)}</td>
                  <td className={classes.number}>{w.lag === null || w.lag === undefined ? '—' : count(w.lag)}</td>
                  <td>{w.cosigned_at ? <Ago at={w.cosigned_at} /> : '—'}</td>
                  <td className={classes.number}>
                    {writes && (
                      <ActionIcon variant="subtle" color="gray" aria-label={`Remove the witness ${w.name}`} onClick={() => remove(w)}>
                        <Trash2 size={14} />
                      </ActionIcon>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {adding && (
        <Add
          save={async (setting) => {
            await settle((now) => [...now, setting])
            done('Witness added; it is asked now')
            setAdding(false)
          }}
        />
      )}
      {trail.cosigned && (
        <p className="dim small">
          The newest cosigned checkpoint covers {count(trail.cosigned.size)} events. <CopyButton value={trail.cosigned.note} label="Copy the cosigned note" />
        </p>
      )}
    </Panel>
  )
}

function Add({ save }: { save: (setting: Setting) => Promise<void> }) {
  const [vkey, setVkey] = useState('')
  const [url, setUrl] = useState('')
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await save({ vkey: vkey.trim(), url: url.trim() })
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <form onSubmit={submit} className="stack">
      <TextInput label="Public key" description="As the operator of the witness publishes it" placeholder="witness.example/w1+df1c0a35+BIE5…" value={vkey} onChange={(e) => setVkey(e.currentTarget.value)} required />
      <TextInput
        label="Address"
        description="Where it takes checkpoints; /add-checkpoint follows. Its operator needs the origin and the public key of this trail."
        placeholder="https://witness.example"
        value={url}
        onChange={(e) => setUrl(e.currentTarget.value)}
        required
      />
      {failure !== null && <Failure of={failure} />}
      <Button type="submit" style={{ alignSelf: 'flex-start' }}>
        Add
      </Button>
    </form>
  )
}
