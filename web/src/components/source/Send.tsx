import { SegmentedControl } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { waysToSend } from '@/lib/sending'
import { Command } from '@/ui/Copy'
import { Panel } from '@/ui/Panel'

/** How to send to a source, with lines to copy. */
export function Send({ source, mapped }: { source: string; mapped: boolean }) {
  const ways = waysToSend(source, location.origin, mapped)
  const [chosen, setChosen] = useState(ways[0]?.id ?? '')
  const way = ways.find((w) => w.id === chosen)
  return (
    <Panel title="How to send" aside={<SegmentedControl aria-label="Protocol" value={chosen} onChange={setChosen} data={ways.map((w) => ({ value: w.id, label: w.title }))} />}>
      {way && (
        <div className="stack">
          <span>{way.text}</span>
          <Command>{way.lines}</Command>
          <span className="dim">
            <code>BELFRY_TOKEN</code> is a <Link to="/settings" {...({ search: { tab: 'tokens' } } as object)}>token</Link> with the privilege events:write, or the credential of an{' '}
            <Link to="/applications">enrolled device</Link>. Syslog needs none.
          </span>
        </div>
      )}
    </Panel>
  )
}
