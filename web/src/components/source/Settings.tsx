import { Button, NumberInput, SegmentedControl, Select, Switch, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Source } from '@/api/types'
import { Failure } from '@/ui/Failure'
import { Panel } from '@/ui/Panel'
import { done } from '@/ui/toast'
import classes from './Source.module.css'

/** Title, mapping, whether it is on, and when it counts as silent. */
export function SourceSettings({ source, writable }: { source: Source; writable: boolean }) {
  const client = useQueryClient()
  const mappings = useQuery(ask.mappings)
  const [title, setTitle] = useState(source.title)
  const [mapping, setMapping] = useState(source.mapping)
  const [enabled, setEnabled] = useState(source.enabled)
  const [mode, setMode] = useState(source.health.silence.mode)
  const [minutes, setMinutes] = useState<number | string>(Math.max(1, Math.round((source.health.silence.after_seconds ?? 3_600) / 60)))
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await answer(http.PUT('/api/v1/sources/{name}', { params: { path: { name: source.name } }, body: { name: source.name, title: title.trim(), mapping, enabled } }))
      await answer(http.PUT('/api/v1/sources/{name}/silence', { params: { path: { name: source.name } }, body: { mode, after_seconds: mode === 'set' ? Math.round(Number(minutes) * 60) : undefined } }))
      await client.invalidateQueries({ queryKey: ask.key('sources') })
      done('Source saved', title.trim() || source.name)
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <Panel title="Settings">
      <form onSubmit={submit} className={`stack ${classes.form}`}>
        <TextInput label="Title" value={title} onChange={(e) => setTitle(e.currentTarget.value)} disabled={!writable} />
        <Select
          label="Read by the mapping"
          description={source.builtin ? 'A source that ships with Belfry keeps its mapping; the mapping itself can be changed.' : undefined}
          value={mapping}
          disabled={!writable || source.builtin}
          searchable
          onChange={(v) => setMapping(v ?? '')}
          data={[...(mappings.data?.items ?? []).map((m) => ({ value: m.name, label: m.name })), { value: '', label: 'none: it sends events already' }]}
        />
        <Switch label="Takes records" description="While it is off, what it sends is refused." checked={enabled} onChange={(e) => setEnabled(e.currentTarget.checked)} disabled={!writable} />
        <div>
          <div id="silence" style={{ fontSize: 13, fontWeight: 500, marginBottom: 4 }}>
            It counts as silent
          </div>
          <SegmentedControl
            aria-labelledby="silence"
            value={mode}
            disabled={!writable}
            onChange={(v) => setMode(v as typeof mode)}
            data={[
              { value: 'learned', label: 'against its own rhythm' },
              { value: 'set', label: 'after a time' },
              { value: 'off', label: 'never' },
            ]}
          />
        </div>
        {mode === 'set' && <NumberInput label="Minutes without a record" min={1} max={129_600} value={minutes} onChange={setMinutes} disabled={!writable} w={220} />}
        {failure !== null && <Failure of={failure} />}
        {writable && (
          <div>
            <Button type="submit">Save</Button>
          </div>
        )}
      </form>
    </Panel>
  )
}
