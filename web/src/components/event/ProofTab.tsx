import { Button, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Check, Download, X } from 'lucide-react'
import { useMemo } from 'react'
import * as ask from '@/api/queries'
import { fromBase64, toHex } from '@/lib/bytes'
import { abbreviate, count } from '@/lib/format'
import { checkProof } from '@/lib/proof'
import { Command, CopyText } from '@/ui/Copy'
import { Failure } from '@/ui/Failure'
import { Fact, Facts } from '@/ui/Panel'
import classes from './tabs.module.css'

/** The proof that this event is in the trail as it is shown. Everything is computed here, in the browser. */
export default function ProofTab({ position }: { position: number }) {
  const { data, error, isPending, refetch } = useQuery(ask.proof(position))
  const trail = useQuery(ask.trail)
  const verdict = useMemo(() => (data && trail.data ? checkProof(data, trail.data.vkey) : null), [data, trail.data])
  if (error) return <Failure of={error} again={() => void refetch()} />
  if (trail.error) return <Failure of={trail.error} again={() => void trail.refetch()} />
  if (isPending || !verdict) return <Skeleton height={220} />
  const file = `event-${position}-proof.json`
  const save = (): void => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: 'application/json' }))
    const link = Object.assign(document.createElement('a'), { href: url, download: file })
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <div className="stack">
      <div className={classes.verdict} data-ok={verdict.ok} role="status">
        {verdict.ok ? <Check size={20} /> : <X size={20} />}
        <div>
          <strong>{!verdict.ok ? 'This event does not fit the trail' : data.removed ? 'An event stood here, and was removed' : 'This event is in the trail, unaltered'}</strong>
          <div className="small">{verdict.ok ? 'Checked in this browser, without trusting the server\'s word.' : 'Keep the proof and the checkpoint, and compare them with a checkpoint kept elsewhere.'}</div>
        </div>
      </div>
      <ol className={classes.checks}>
        {verdict.checks.map((c) => (
          <li key={c.title} data-ok={c.ok}>
            {c.ok ? <Check size={15} /> : <X size={15} />}
            <div>
              {c.title}
              <div className="dim small">{c.detail}</div>
            </div>
          </li>
        ))}
      </ol>
      <Facts>
        <Fact name="Position">
          <CopyText value={String(position)} shown={count(position)} />
        </Fact>
        {verdict.leaf && (
          <Fact name="Leaf hash">
            <CopyText value={toHex(verdict.leaf)} shown={abbreviate(toHex(verdict.leaf), 14)} label="leaf hash" />
          </Fact>
        )}
        {verdict.checkpoint && (
          <>
            <Fact name="Signed by">{verdict.checkpoint.origin}</Fact>
            <Fact name="Signed root">
              <CopyText value={toHex(verdict.checkpoint.root)} shown={abbreviate(toHex(verdict.checkpoint.root), 14)} label="root hash" />
            </Fact>
            <Fact name="Tree size">{count(verdict.checkpoint.size)} events</Fact>
          </>
        )}
      </Facts>
      <section>
        <h3 className={classes.heading}>The way to the root</h3>
        <ol className={classes.path}>
          {verdict.leaf && (
            <li>
              <span className="dim">leaf</span>
              <code>{abbreviate(toHex(verdict.leaf), 10)}</code>
            </li>
          )}
          {verdict.steps.map((s, i) => (
            <li key={i}>
              <span className="dim">{s.side === 'left' ? 'with left' : 'with right'}</span>
              <code>{abbreviate(toHex(s.sibling), 6)}</code>
              <span className="dim">→</span>
              <code>{abbreviate(toHex(s.result), 10)}</code>
            </li>
          ))}
          {verdict.steps.length === 0 && !verdict.ok && <li className="dim">{abbreviate(toHex(fromBase64(data.leaf_hash)), 10)} …</li>}
        </ol>
      </section>
      <Button variant="default" leftSection={<Download size={14} />} onClick={save} style={{ alignSelf: 'flex-start' }}>
        Download proof
      </Button>
      <div>
        <div className="dim small" style={{ marginBottom: 4 }}>
          Check it again without this server:
        </div>
        <Command>{`belfry verify --proof ${file} --vkey '${trail.data?.vkey ?? ''}'`}</Command>
      </div>
    </div>
  )
}
