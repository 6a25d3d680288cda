import { Button, Checkbox, Skeleton, Tabs } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { RotateCcw, Save } from 'lucide-react'
import { Suspense, lazy, useMemo, useState } from 'react'
import { answer, http } from '@/api/client'
import { Problem } from '@/api/problem'
import * as ask from '@/api/queries'
import type { CompileError, Mapping, MappingResult } from '@/api/types'
import { useMay } from '@/components/session'
import { plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Failure } from '@/ui/Failure'
import { useAddress } from '@/ui/address'
import { done } from '@/ui/toast'
import { DryRun } from './DryRun'
import classes from './Editor.module.css'
import { Outcome } from './Outcome'
import { Reference } from './Reference'
import { Samples, type Sample } from './Samples'
import { Versions } from './Versions'
import { nativePaths } from './completions'

const ProgramEditor = lazy(() => import('./ProgramEditor'))

/** What is edited: a mapping that is there, or one that is only begun. */
export interface Draft {
  name: string
  program: string
  /** 0 for one that is not there yet. */
  version: number
  sources: string[]
}

interface Props {
  draft: Draft
  samples: Sample[]
  shipped: string[]
  /** Was told to make a source of the same name as well. */
  withSource?: boolean
  saved?: (mapping: Mapping) => void
}

/** Program and samples at one side, what becomes of them at the other; both live. */
export function Editor({ draft, samples: given, shipped, withSource, saved }: Props) {
  const [program, setProgram] = useState(draft.program)
  const [samples, setSamples] = useState(given)
  const [chosen, setChosen] = useState(0)
  const [failure, setFailure] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [alsoSource, setAlsoSource] = useState(withSource ?? false)
  const [goTo, setGoTo] = useState<{ line: number; column: number } | null>(null)
  const [asking, question] = useAsk()
  const [address, setAddress] = useAddress()
  const tab = address.tab ?? 'event'
  const client = useQueryClient()
  const may = useMay()
  const writable = may('mappings:write')
  const reference = useQuery(ask.mappingReference)
  const [tried] = useDebouncedValue({ program, samples }, 300)
  const filled = useMemo(() => tried.samples.map((s) => s.record).filter((r) => r.trim() !== ''), [tried.samples])
  const test = useQuery({ ...ask.mappingTest(draft.name, tried.program, filled), placeholderData: keepPreviousData })
  const errors = test.data?.compile_errors ?? NO_ERRORS
  const record = samples[chosen]?.record ?? ''
  const [looked] = useDebouncedValue(record, 600)
  const taken = useQuery(ask.proposal(looked, draft.name))
  const native = useMemo(() => nativePaths(taken.data?.native), [taken.data])
  const resultOf = (index: number): MappingResult | undefined => {
    const record = samples[index]?.record
    // The answer is of the samples that were asked about; while one is being written its place is the same.
    return record === undefined || record.trim() === '' ? undefined : test.data?.results[samples.slice(0, index).filter((s) => s.record.trim() !== '').length]
  }
  const kept = (list: Sample[]): string => JSON.stringify(list.filter((s) => s.kept && s.record.trim() !== '').map((s) => s.record))
  const changed = draft.version === 0 || program !== draft.program || kept(samples) !== kept(given)

  const save = async (force = false): Promise<void> => {
    setBusy(true)
    setFailure(null)
    try {
      const body = { program, samples: JSON.parse(kept(samples)) as string[], force }
      const made = await answer(http.PUT('/api/v1/mappings/{name}', { params: { path: { name: draft.name } }, body }))
      if (alsoSource && !draft.sources.includes(draft.name)) {
        await answer(http.POST('/api/v1/sources', { body: { name: draft.name, title: made.description, mapping: draft.name, enabled: true } }))
      }
      await Promise.all(['mappings', 'sources'].map((key) => client.invalidateQueries({ queryKey: ask.key(key) })))
      done('Mapping saved', `It reads everything from now on as version ${made.version}.`)
      saved?.(made)
    } catch (cause) {
      if (cause instanceof Problem && cause.status === 409 && !force) {
        asking({
          title: 'Save it all the same?',
          text: (
            <>
              Samples that could be read so far could not be read any more. Records like these will be set aside.
              <ul>
                {cause.errors.slice(0, 8).map((e) => (
                  <li key={e.pointer}>
                    sample {Number(e.pointer.split('/').at(-1)) + 1}: {e.detail}
                  </li>
                ))}
              </ul>
            </>
          ),
          action: 'Save',
          run: () => save(true),
        })
      } else setFailure(cause)
    }
    setBusy(false)
  }
  const trySave = (): void => {
    if (writable && changed && !busy && errors.length === 0) void save()
  }
  const run = (): void => {
    void client.invalidateQueries({ queryKey: ['mapping-test', draft.name] })
    setAddress({ tab: undefined })
  }
  const onError = (error: CompileError): void => setGoTo({ line: error.line, column: error.column })
  return (
    <>
      {question}
      {failure !== null && <Failure of={failure} />}
      <div className={classes.bar}>
        <span className="dim small wide-only">
          <kbd>Ctrl S</kbd> saves · <kbd>Ctrl Enter</kbd> runs · <kbd>Ctrl Space</kbd> completes
        </span>
        <span className="dim small" role="status">
          {errors.length > 0 ? plural(errors.length, 'error') : test.isFetching ? 'running…' : test.data ? 'compiles' : ''}
        </span>
        <span className="grow" />
        {writable && (
          <>
            {draft.version === 0 && !draft.sources.includes(draft.name) && <Checkbox label={`and make the source ${draft.name}`} checked={alsoSource} onChange={(e) => setAlsoSource(e.currentTarget.checked)} />}
            {changed && draft.version > 0 && (
              <Button
                variant="default"
                leftSection={<RotateCcw size={14} />}
                onClick={() => {
                  setProgram(draft.program)
                  setSamples(given)
                  setChosen(0)
                }}
              >
                Undo all
              </Button>
            )}
            <Button leftSection={<Save size={14} />} disabled={!changed || errors.length > 0} loading={busy} onClick={trySave}>
              Save as version {draft.version + 1}
            </Button>
          </>
        )}
      </div>
      <div className={classes.split}>
        <div className={classes.left}>
          <div className={classes.program}>
            <Suspense fallback={<Skeleton height="100%" />}>
              <ProgramEditor value={program} onChange={setProgram} errors={errors} reference={reference.data} native={native} onSave={trySave} onRun={run} readOnly={!writable} goTo={goTo} />
            </Suspense>
          </div>
          <Samples samples={samples} onChange={setSamples} chosen={chosen} onChoose={setChosen} resultOf={resultOf} shipped={shipped} />
        </div>
        <section className={classes.right} aria-label="Result">
          <Tabs value={tab} onChange={(v) => setAddress({ tab: v === 'event' || v === null ? undefined : v })} keepMounted={false}>
            <Tabs.List>
              <Tabs.Tab value="event">Event</Tabs.Tab>
              <Tabs.Tab value="dry-run">What would change</Tabs.Tab>
              {draft.version > 0 && <Tabs.Tab value="versions">Versions</Tabs.Tab>}
              <Tabs.Tab value="reference">Reference</Tabs.Tab>
            </Tabs.List>
            <div className={classes.pane} aria-live={tab === 'event' ? 'polite' : undefined}>
              <Tabs.Panel value="event">{test.error ? <Failure of={test.error} /> : <Outcome errors={errors} result={resultOf(chosen)} empty={record.trim() === ''} onError={onError} />}</Tabs.Panel>
              <Tabs.Panel value="dry-run">
                <DryRun name={draft.name} program={program} sources={draft.sources} />
              </Tabs.Panel>
              <Tabs.Panel value="versions">
                <Versions
                  name={draft.name}
                  version={draft.version}
                  program={program}
                  onTake={
                    writable
                      ? (old, version) => {
                          setProgram(old)
                          done(`Version ${version} is in the editor`, `Save it, and it is version ${draft.version + 1}.`)
                        }
                      : undefined
                  }
                />
              </Tabs.Panel>
              <Tabs.Panel value="reference">
                <Reference reference={reference.data} />
              </Tabs.Panel>
            </div>
          </Tabs>
        </section>
      </div>
    </>
  )
}

const NO_ERRORS: readonly CompileError[] = []
