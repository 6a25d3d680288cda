import { ActionIcon, Button, Menu, Tooltip } from '@mantine/core'
import { CircleAlert, CircleCheck, CircleSlash, Pin, PinOff, Plus, X } from 'lucide-react'
import type { MappingResult } from '@/api/types'
import { count } from '@/lib/format'
import classes from './Samples.module.css'

/** A record to try the program on. What is kept is stored beside the mapping when it is saved. */
export interface Sample {
  id: number
  record: string
  kept: boolean
  from: 'kept' | 'set aside' | 'shipped' | 'typed'
}

let last = 0

export function sample(record: string, from: Sample['from']): Sample {
  return { id: ++last, record, kept: from === 'kept', from }
}

interface Props {
  samples: Sample[]
  onChange: (samples: Sample[]) => void
  chosen: number
  onChoose: (index: number) => void
  resultOf: (index: number) => MappingResult | undefined
  /** Records that ship beside the mapping, to be looked at. */
  shipped: string[]
}

const SHOWN_MAX = 100

/** The samples: a list with what becomes of each, and the chosen one as text. */
export function Samples({ samples, onChange, chosen, onChoose, resultOf, shipped }: Props) {
  const here = samples[chosen]
  const change = (index: number, part: Partial<Sample>): void => onChange(samples.map((s, i) => (i === index ? { ...s, ...part } : s)))
  const add = (more: Sample[]): void => {
    onChange([...samples, ...more].slice(0, SHOWN_MAX))
    onChoose(Math.min(samples.length, SHOWN_MAX - 1))
  }
  const unseen = shipped.filter((record) => !samples.some((s) => s.record === record))
  return (
    <section className={classes.samples} aria-label="Samples">
      <header className={classes.head}>
        <strong>Samples</strong>
        <span className="dim small">{count(samples.filter((s) => s.kept).length)} kept beside the mapping</span>
        <span className="grow" />
        {unseen.length > 0 && (
          <Menu>
            <Menu.Target>
              <Button variant="default" size="compact-xs">
                Shipped samples
              </Button>
            </Menu.Target>
            <Menu.Dropdown mah={320} maw={560} style={{ overflow: 'auto' }}>
              <Menu.Item onClick={() => add(unseen.map((r) => sample(r, 'shipped')))}>All {count(unseen.length)}</Menu.Item>
              <Menu.Divider />
              {unseen.slice(0, 30).map((r) => (
                <Menu.Item key={r} onClick={() => add([sample(r, 'shipped')])}>
                  <code className="clip" style={{ display: 'block', maxWidth: 500 }}>
                    {r.slice(0, 160)}
                  </code>
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
        <Button variant="default" size="compact-xs" leftSection={<Plus size={13} />} disabled={samples.length >= SHOWN_MAX} onClick={() => add([sample('', 'typed')])}>
          Add a sample
        </Button>
      </header>
      <ul className={classes.list}>
        {samples.map((s, i) => (
          <li key={s.id} data-chosen={i === chosen || undefined}>
            <button type="button" aria-pressed={i === chosen} aria-label={`Sample ${i + 1}`} className={`plain ${classes.choose}`} onClick={() => onChoose(i)}>
              <Mark result={resultOf(i)} />
              <code className="clip grow">{s.record.trim() === '' ? 'empty' : s.record.slice(0, 300)}</code>
              {s.from !== 'typed' && !s.kept && <span className="dim small">{s.from}</span>}
            </button>
            <Tooltip label={s.kept ? 'Kept beside the mapping: no version may break it unasked' : 'Keep it beside the mapping'}>
              <ActionIcon size={22} aria-label={s.kept ? `Don't keep sample ${i + 1}` : `Keep sample ${i + 1}`} aria-pressed={s.kept} onClick={() => change(i, { kept: !s.kept })} color={s.kept ? 'bronze' : 'gray'}>
                {s.kept ? <Pin size={13} fill="currentColor" /> : <PinOff size={13} />}
              </ActionIcon>
            </Tooltip>
            <ActionIcon
              size={22}
              aria-label={`Remove sample ${i + 1}`}
              disabled={samples.length === 1}
              onClick={() => {
                onChange(samples.filter((_, n) => n !== i))
                onChoose(Math.max(0, chosen - (i <= chosen ? 1 : 0)))
              }}
            >
              <X size={12} />
            </ActionIcon>
          </li>
        ))}
      </ul>
      <textarea
        className={classes.text}
        aria-label={`Text of sample ${chosen + 1}`}
        spellCheck={false}
        placeholder="A record as the product writes it: one line of its log, or its JSON."
        value={here?.record ?? ''}
        onChange={(e) => change(chosen, { record: e.currentTarget.value })}
      />
    </section>
  )
}

export function Mark({ result }: { result: MappingResult | undefined }) {
  if (!result) return <span style={{ width: 13, flex: 'none' }} />
  if (result.skipped !== undefined) return <CircleSlash size={13} style={{ color: 'var(--dim)', flex: 'none' }} aria-label="left out" />
  return result.ok ? <CircleCheck size={13} style={{ color: 'var(--ok)', flex: 'none' }} aria-label="read" /> : <CircleAlert size={13} style={{ color: 'var(--bad)', flex: 'none' }} aria-label="not read" />
}
