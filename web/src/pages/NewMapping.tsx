import { Button, SegmentedControl, Select, Skeleton, TextInput, Textarea } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { ArrowRight } from 'lucide-react'
import { useState } from 'react'
import * as ask from '@/api/queries'
import { Editor, type Draft } from '@/components/mapping/Editor'
import { Outcome } from '@/components/mapping/Outcome'
import { sample } from '@/components/mapping/Samples'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Panel } from '@/ui/Panel'
import { useAddress } from '@/ui/address'
import classes from './NewMapping.module.css'

type Start = 'line' | 'copy' | 'empty'

const EMPTY = '# decoder: json\n# title: \n\n.event.action = "product.event"\n'
const NAME = /^[a-z0-9_.-]{1,64}$/

/** A mapping is begun: from a raw line, from another mapping, or from nothing. Then the editor opens in its place. */
export function NewMapping() {
  const [address] = useAddress()
  const navigate = useNavigate()
  const [begun, setBegun] = useState<{ draft: Draft; line: string } | null>(null)
  const [name, setName] = useState(address.name ?? '')
  const [line, setLine] = useState('')
  const [start, setStart] = useState<Start>('line')
  const [copied, setCopied] = useState('generic')
  const [looked] = useDebouncedValue(line, 350)
  const [called] = useDebouncedValue(name, 350)
  const mappings = useQuery(ask.mappings)
  const sources = useQuery(ask.sources)
  const proposed = useQuery({ ...ask.proposal(looked, called.trim()), placeholderData: keepPreviousData })
  const source = useQuery({ ...ask.mapping(copied), enabled: start === 'copy' })
  const taken = mappings.data?.items.some((m) => m.name === name.trim()) ?? false
  const wrong = name !== '' && !NAME.test(name.trim()) ? 'Small letters, digits, dots, dashes and underscores.' : taken ? 'There is a mapping of that name.' : null
  const program = start === 'line' ? proposed.data?.program : start === 'copy' ? source.data?.program : EMPTY
  if (begun) {
    return (
      <Page fill title={`New mapping ${begun.draft.name}`} lead="Write, look at the event, and save when it is right.">
        <Editor draft={begun.draft} samples={[{ ...sample(begun.line, 'typed'), kept: begun.line.trim() !== '' }]} shipped={[]} withSource saved={(m) => void navigate({ to: `/mappings/${m.name}` })} />
      </Page>
    )
  }
  const begin = (): void => {
    if (program == null) return
    const used = (sources.data?.items ?? []).map((s) => s.name)
    // A source of that name may be there already; then none is made.
    setBegun({ draft: { name: name.trim(), program, version: 0, sources: used.includes(name.trim()) ? [name.trim()] : [] }, line })
  }
  return (
    <Page title="New mapping" lead="Paste one raw line of the product. What can be told without a mapping is shown at once, and a program to start from is proposed.">
      <div className={classes.columns}>
        <Panel title="What it reads">
          <div className="stack">
            <TextInput label="Name" description="The source will have it too, and its actions begin with it." placeholder="turnstile" value={name} error={wrong} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
            <Textarea
              label="One raw line"
              description="As the product writes it: a line of its log, a syslog message, its JSON."
              autosize
              minRows={4}
              maxRows={14}
              spellCheck={false}
              value={line}
              onChange={(e) => setLine(e.currentTarget.value)}
              styles={{ input: { fontFamily: 'var(--mono)', fontSize: 12 } }}
            />
            <div>
              <div className={classes.label} id="start">
                Start from
              </div>
              <SegmentedControl
                aria-labelledby="start"
                value={start}
                onChange={(v) => setStart(v as Start)}
                data={[
                  { value: 'line', label: 'this line' },
                  { value: 'copy', label: 'another mapping' },
                  { value: 'empty', label: 'nothing' },
                ]}
              />
            </div>
            {start === 'copy' && <Select aria-label="The mapping to start from" searchable value={copied} onChange={(v) => setCopied(v ?? 'generic')} data={(mappings.data?.items ?? []).map((m) => ({ value: m.name, label: `${m.name}: ${m.description}` }))} />}
            <div>
              <Button rightSection={<ArrowRight size={14} />} disabled={name.trim() === '' || wrong !== null || program == null} onClick={begin}>
                Go on in the editor
              </Button>
            </div>
          </div>
        </Panel>
        <div className="stack">
          {proposed.error && <Failure of={proposed.error} />}
          {line.trim() !== '' && !proposed.data && !proposed.error && <Skeleton height={240} />}
          {line.trim() === '' && start === 'line' && (
            <Panel title="The proposal">
              <p className="dim" style={{ margin: 0 }}>
                Appears here once there is a line.
              </p>
            </Panel>
          )}
          {program != null && (start !== 'line' || line.trim() !== '') && (
            <Panel title={start === 'line' ? 'The proposal' : 'The program'} aside={start === 'line' && proposed.data ? `read as ${proposed.data.decoder}` : undefined}>
              <pre className={classes.program} tabIndex={0} aria-label="The program to start from">
                {program}
              </pre>
            </Panel>
          )}
          {line.trim() !== '' && proposed.data && (
            <Panel title="Without a mapping of its own" aside="what the generic mapping finds">
              <Outcome errors={[]} result={proposed.data.generic} empty={false} />
            </Panel>
          )}
        </div>
      </div>
    </Page>
  )
}
