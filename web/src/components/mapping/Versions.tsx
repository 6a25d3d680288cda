import { Button, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import * as ask from '@/api/queries'
import type { MappingVersion } from '@/api/types'
import { diffLines, folded } from '@/lib/diff'
import { Failure } from '@/ui/Failure'
import { Chip } from '@/ui/Panel'
import { Time } from '@/ui/Time'
import classes from './Versions.module.css'

/** The versions of a mapping, each with its difference to the draft, to be taken up again. */
export function Versions({ name, version, program, onTake }: { name: string; version: number; program: string; onTake?: (program: string, version: number) => void }) {
  const { data, error } = useQuery(ask.mappingVersions(name))
  const [open, setOpen] = useState<number | null>(null)
  if (error) return <Failure of={error} />
  if (!data) return <Skeleton height={160} />
  return (
    <ul className={classes.versions}>
      {data.items.map((v) => (
        <li key={v.version}>
          <div className="row wrap">
            <strong>Version {v.version}</strong>
            {v.version === version && <Chip tone="ok">in force</Chip>}
            {v.shipped && <Chip>shipped with Belfry</Chip>}
            <code className="dim small">@{v.hash}</code>
            <span className="grow" />
            {v.created_at && (
              <span className="dim small">
                <Time at={v.created_at} style="moment" /> by {v.created_by}
              </span>
            )}
            <Button variant="default" size="compact-xs" aria-expanded={open === v.version} onClick={() => setOpen(open === v.version ? null : v.version)}>
              Compare
            </Button>
          </div>
          {open === v.version && <Difference name={name} of={v} program={program} onTake={onTake} />}
        </li>
      ))}
    </ul>
  )
}

function Difference({ name, of, program, onTake }: { name: string; of: MappingVersion; program: string; onTake?: (program: string, version: number) => void }) {
  const { data, error } = useQuery(ask.mappingVersion(name, of.version))
  if (error) return <Failure of={error} />
  if (!data) return <Skeleton height={120} />
  const old = data.program ?? ''
  const lines = diffLines(old, program)
  const same = lines.every((l) => l.kind === 'same')
  return (
    <div className="stack" style={{ gap: 8 }}>
      {same ? (
        <p className="dim">The draft is the same as version {of.version}.</p>
      ) : (
        <>
          <pre className={classes.diff} aria-label={`From version ${of.version} to the draft`} tabIndex={0}>
            {folded(lines).map((line, n) =>
              line === null ? (
                <div key={n} className="dim">
                  ⋯
                </div>
              ) : (
                <div key={n} data-kind={line.kind}>
                  {{ same: '  ', old: '− ', new: '+ ' }[line.kind]}
                  {line.text}
                </div>
              ),
            )}
          </pre>
          {onTake && (
            <span>
              <Button variant="default" onClick={() => onTake(old, of.version)}>
                Restore version {of.version}
              </Button>
            </span>
          )}
        </>
      )}
    </div>
  )
}
