import { TextInput } from '@mantine/core'
import { useState } from 'react'
import type { MappingReference } from '@/api/types'
import classes from './Reference.module.css'

/** Functions and fields that a program may use. */
export function Reference({ reference }: { reference: MappingReference | undefined }) {
  const [wanted, setWanted] = useState('')
  const fits = (...texts: string[]): boolean => texts.some((t) => t.toLowerCase().includes(wanted.trim().toLowerCase()))
  if (!reference) return null
  return (
    <div className="stack">
      <TextInput size="xs" aria-label="Search the reference" placeholder="A function or a field" value={wanted} onChange={(e) => setWanted(e.currentTarget.value)} />
      <dl className={classes.list}>
        {reference.functions
          .filter((f) => fits(f.name, f.usage))
          .map((f) => (
            <div key={f.name}>
              <dt>
                <code>{f.signature}</code>
              </dt>
              <dd>{f.usage}</dd>
            </div>
          ))}
        {reference.fields
          .filter((f) => fits(f.name, f.title))
          .map((f) => (
            <div key={f.name}>
              <dt>
                <code>.{f.name}</code>
              </dt>
              <dd>
                {f.title} <span className="dim">{f.kind}</span>
              </dd>
            </div>
          ))}
      </dl>
    </div>
  )
}
