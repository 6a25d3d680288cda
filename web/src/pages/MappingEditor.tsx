import { ActionIcon, Button, Skeleton } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { CircleAlert, CircleCheck, CircleSlash, Plus, RotateCcw, X } from 'lucide-react'
import { useRef, useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Mapping, MappingTest } from '@/api/types'
import { useMay } from '@/components/session'
import { plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { Failure } from '@/ui/Failure'
import { Json } from '@/ui/Json'
import { Page } from '@/ui/Page'
import { Chip } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { done } from '@/ui/toast'
import classes from './MappingEditor.module.css'

export function MappingEditor() {
  const { name } = useParams({ strict: false }) as { name: string }
  const [address] = useAddress()
  const { data, error, refetch } = useQuery(ask.mapping(name))
  // A record that was set aside comes along as a sample; without one the newest of this mapping's sources do.
  const aside = useInfiniteQuery(ask.setAside(undefined, 'open'))
  const sources = useQuery(ask.sources)
  if (error) return <Page title={name}><Failure of={error} again={() => void refetch()} /></Page>
  if (!data || aside.isPending || sources.isPending) return <Page title={name}><Skeleton height={420} /></Page>
  const own = new Set((sources.data?.items ?? []).filter((s) => s.mapping === name).map((s) => s.name))
  const records = aside.data?.pages.flatMap((p) => p.items) ?? []
  const asked = records.filter((r) => r.id === address.record)
  const samples = (asked.length > 0 ? asked : records.filter((r) => own.has(r.source)).slice(0, 5)).map((r) => r.record)
  return <Editor key={`${name} ${data.version}`} mapping={data} samples={samples} />
}

function Editor({ mapping, samples: given }: { mapping: Mapping; samples: string[] }) {
  const [program, setProgram] = useState(mapping.program ?? '')
  const [samples, setSamples] = useState(given.length > 0 ? given : [''])
  const [at, setAt] = useState(0)
  const [failure, setFailure] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [asking, question] = useAsk()
  const client = useQueryClient()
  const may = useMay()
  const writable = may('mappings:write')
  const [tried] = useDebouncedValue({ program, samples }, 350)
  const filled = tried.samples.filter((s) => s.trim() !== '')
  const test = useQuery({
    queryKey: ['mapping-test', mapping.name, tried.program, filled],
    queryFn: () => answer(http.POST('/api/v1/mappings/{name}/test', { params: { path: { name: mapping.name } }, body: { program: tried.program, samples: filled } })),
    placeholderData: keepPreviousData,
    retry: false,
  })
  const errors = test.data?.compile_errors ?? []
  const resultOf = (i: number): MappingTest['results'][number] | undefined => {
    const sample = samples[i]
    if (sample === undefined || sample.trim() === '') return undefined
    return test.data?.results[samples.slice(0, i).filter((s) => s.trim() !== '').length]
  }
  const changed = program !== (mapping.program ?? '')
  const save = async (): Promise<void> => {
    setBusy(true)
    setFailure(null)
    try {
      const saved = await answer(http.PUT('/api/v1/mappings/{name}', { params: { path: { name: mapping.name } }, body: { program } }))
      await client.invalidateQueries({ queryKey: ask.key('mappings') })
      await client.invalidateQueries({ queryKey: ask.key('sources') })
      done('Mapping saved', `It reads everything from now on as version ${saved.version}.`)
    } catch (cause) {
      setFailure(cause)
    }
    setBusy(false)
  }
  return (
    <Page
      fill
      title={`Mapping ${mapping.name}`}
      lead={
        <>
          {mapping.description.replace(/\.?$/, '.')} Version {mapping.version}
          {mapping.updated_at && (
            <>
              , changed <Ago at={mapping.updated_at} /> by {mapping.updated_by}
            </>
          )}
          .
        </>
      }
      actions={
        writable && (
          <>
            {changed && (
              <Button variant="default" leftSection={<RotateCcw size={14} />} onClick={() => setProgram(mapping.program ?? '')}>
                Undo all
              </Button>
            )}
            <Button
              disabled={!changed || errors.length > 0}
              loading={busy}
              onClick={() => {
                const broken = (test.data?.results ?? []).filter((r) => !r.ok).length
                if (broken === 0) void save()
                else asking({ title: 'Save it all the same?', text: `${plural(broken, 'sample')} can't be read by it yet. Records like these will be set aside.`, action: 'Save', run: save })
              }}
            >
              Save as version {mapping.version + 1}
            </Button>
          </>
        )
      }
    >
      {question}
      {failure !== null && <Failure of={failure} />}
      <div className={classes.split}>
        <div className={classes.left}>
          <Program value={program} onChange={setProgram} errors={errors} />
          <section className={classes.samples} aria-label="Samples">
            <div className={classes.tabs} role="group" aria-label="Samples">
              {samples.map((s, i) => (
                <span key={i} className={classes.tab} data-chosen={i === at || undefined}>
                  <button type="button" aria-pressed={i === at} className="plain row" style={{ gap: 6 }} onClick={() => setAt(i)}>
                    <Mark result={resultOf(i)} /> Sample {i + 1}
                  </button>
                  {samples.length > 1 && (
                    <ActionIcon
                      size={18}
                      aria-label={`Remove sample ${i + 1}`}
                      onClick={() => {
                        setSamples(samples.filter((_, n) => n !== i))
                        setAt(Math.max(0, at - (i <= at ? 1 : 0)))
                      }}
                    >
                      <X size={11} />
                    </ActionIcon>
                  )}
                  <span className="hidden">{s.slice(0, 40)}</span>
                </span>
              ))}
              <ActionIcon
                size={24}
                aria-label="Add a sample"
                onClick={() => {
                  setSamples([...samples, ''])
                  setAt(samples.length)
                }}
              >
                <Plus size={14} />
              </ActionIcon>
            </div>
            <textarea
              className={classes.sample}
              aria-label={`Sample ${at + 1}`}
              spellCheck={false}
              placeholder="A record as the product writes it: one line of its log, or its JSON."
              value={samples[at] ?? ''}
              onChange={(e) => {
                const text = e.currentTarget.value
                setSamples(samples.map((s, i) => (i === at ? text : s)))
              }}
            />
          </section>
        </div>
        <section className={classes.right} aria-label="Result" aria-live="polite">
          {test.error ? <Failure of={test.error} /> : <Result errors={errors} result={resultOf(at)} empty={(samples[at] ?? '').trim() === ''} />}
        </section>
      </div>
    </Page>
  )
}

function Mark({ result }: { result: MappingTest['results'][number] | undefined }) {
  if (!result) return null
  if (result.skipped !== undefined) return <CircleSlash size={13} style={{ color: 'var(--dim)' }} aria-label="left out" />
  return result.ok ? <CircleCheck size={13} style={{ color: 'var(--ok)' }} aria-label="read" /> : <CircleAlert size={13} style={{ color: 'var(--bad)' }} aria-label="not read" />
}

function Result({ errors, result, empty }: { errors: MappingTest['compile_errors']; result: MappingTest['results'][number] | undefined; empty: boolean }) {
  if (errors.length > 0) {
    return (
      <>
        <h2>The program can't be compiled</h2>
        <ul className={classes.errors}>
          {errors.map((e, i) => (
            <li key={i}>
              <strong>
                line {e.line}, column {e.column}
              </strong>
              <pre>{e.message}</pre>
            </li>
          ))}
        </ul>
      </>
    )
  }
  if (empty) return <p className="dim">Put a record into the sample, and what it becomes appears here.</p>
  if (!result) return <Skeleton height={200} />
  if (result.skipped !== undefined)
    return (
      <>
        <h2>Left out on purpose</h2>
        <p>{result.skipped}</p>
      </>
    )
  if (!result.ok)
    return (
      <>
        <h2 className={classes.bad}>Would be set aside</h2>
        <p>{result.error}</p>
      </>
    )
  return (
    <>
      <h2>
        Becomes {plural(result.events.length, 'event')} <Chip tone="ok">admitted</Chip>
      </h2>
      {result.events.map((e, i) => (
        <Json key={i} value={e} />
      ))}
    </>
  )
}

const LINE = 20

/** The program, with line numbers and the lines that can't be compiled marked. */
function Program({ value, onChange, errors }: { value: string; onChange: (v: string) => void; errors: MappingTest['compile_errors'] }) {
  const gutter = useRef<HTMLDivElement>(null)
  const lines = value.split('\n').length
  return (
    <div className={classes.program}>
      <div className={classes.gutter} ref={gutter} aria-hidden="true">
        {Array.from({ length: lines }, (_, i) => {
          const wrong = errors.find((e) => e.line === i + 1)
          return (
            <div key={i} style={{ height: LINE }} data-wrong={wrong ? true : undefined} title={wrong?.message}>
              {i + 1}
            </div>
          )
        })}
      </div>
      <textarea
        aria-label="Program"
        spellCheck={false}
        wrap="off"
        value={value}
        onChange={(e) => onChange(e.currentTarget.value)}
        onScroll={(e) => {
          if (gutter.current) gutter.current.scrollTop = e.currentTarget.scrollTop
        }}
        onKeyDown={(e) => {
          if (e.key !== 'Tab' || e.shiftKey) return
          e.preventDefault()
          const area = e.currentTarget
          area.setRangeText('  ', area.selectionStart, area.selectionEnd, 'end')
          onChange(area.value)
        }}
      />
    </div>
  )
}
