import { Button, Progress, Skeleton } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Hourglass, ShieldCheck } from 'lucide-react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import { rootHex, stateOf } from '@/components/TrailState'
import { Witnesses } from '@/components/Witnesses'
import { useMay } from '@/components/session'
import { bytes, count } from '@/lib/format'
import { duration, utc } from '@/lib/time'
import { Command, CopyButton, CopyText } from '@/ui/Copy'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Fact, Facts, Panel, StateDot } from '@/ui/Panel'
import { Ago, Time } from '@/ui/Time'
import { failed } from '@/ui/toast'
import classes from './Trail.module.css'

export function Trail() {
  const { data, error, refetch } = useQuery(ask.trail)
  const client = useQueryClient()
  const may = useMay()
  if (error) return <Page title="Trail"><Failure of={error} again={() => void refetch()} /></Page>
  if (!data) return <Page title="Trail"><Skeleton height={180} /><Skeleton height={220} /></Page>
  const check = data.self_check
  const state = stateOf(data)
  const verify = async (): Promise<void> => {
    try {
      await answer(http.POST('/api/v1/trail/verify'))
    } catch (failure) {
      failed(failure)
    }
    await client.invalidateQueries({ queryKey: ask.key('trail') })
  }
  return (
    <Page
      title="Trail"
      lead="Every event in the order it came in, sealed so that nobody can change it unnoticed."
      actions={
        <>
          {may('retention:read') && (
            <Button variant="default" leftSection={<Hourglass size={14} />} component={Link} to="/retention">
              Retention
            </Button>
          )}
          {may('trail:verify') && (
            <Button leftSection={<ShieldCheck size={14} />} onClick={() => void verify()} loading={check.state === 'running'}>
              Verify now
            </Button>
          )}
        </>
      }
    >
      <section className={classes.state} data-tone={state.tone} role="status">
        <div className="grow">
          <h2>
            <StateDot tone={state.tone}>{{ ok: 'The trail is whole', failed: 'The trail was altered', running: 'The trail is being checked', never: 'The trail was not checked yet' }[check.state]}</StateDot>
          </h2>
          {check.state === 'ok' && (
            <p>
              All {count(check.size)} events were read and hashed <Ago at={check.at} />, and lead to the signed root.
              {check.due_at && (
                <span className="dim">
                  {' '}
                  The next check is due <Ago at={check.due_at} />.
                </span>
              )}
            </p>
          )}
          {check.state === 'failed' && (
            <p>
              {check.position !== null && check.position !== undefined && (
                <>
                  The first wrong position is <strong>{count(check.position)}</strong>.{' '}
                </>
              )}
              {check.what} Keep the data folder as it is, and compare it with a backup and with checkpoints kept elsewhere.
            </p>
          )}
          {check.state === 'never' && <p>Verify it now: the server reads every event and hashes it again.</p>}
          {check.state === 'running' && (
            <>
              <Progress value={check.total ? (check.size / check.total) * 100 : 0} animated my={8} aria-label="Progress of the check" />
              <p>
                {count(check.size)} of {count(check.total ?? data.size)} events
                {check.left_seconds !== null && check.left_seconds !== undefined && <>, about {duration(check.left_seconds * 1_000)} left</>}
                <span className="dim"> · it rests while events come in</span>
              </p>
            </>
          )}
        </div>
      </section>
      <div className={classes.columns}>
        <Panel title="Checkpoint">
          <Facts>
            <Fact name="Events">{count(data.size)}</Fact>
            <Fact name="Sealed">
              <Time at={data.checkpoint.at} /> <span className="dim">{utc(data.checkpoint.at)}</span>
            </Fact>
            <Fact name="Tree size">{count(data.checkpoint.size)}</Fact>
            <Fact name="Root hash">
              <CopyText value={rootHex(data.checkpoint.root)} label="root hash" />
            </Fact>
            <Fact name="Origin">
              <CopyText value={data.origin} label="origin" />
            </Fact>
            <Fact name="Public key">
              <CopyText value={data.vkey} label="public key" />
            </Fact>
            <Fact name="Searchable">{data.indexed_to >= data.size ? 'all of it' : `up to ${count(data.indexed_to)}`}</Fact>
            <Fact name="On disk">{bytes(data.bytes)}</Fact>
          </Facts>
        </Panel>
        <Panel title="Signed note" aside={<CopyButton value={data.checkpoint.note} label="Copy the signed note" />}>
          <pre className={classes.note}>{data.checkpoint.note}</pre>
          <p className="dim small">Keep a copy of it elsewhere now and then: against any kept note, even a cut-off end of the trail is found.</p>
        </Panel>
      </div>
      <Witnesses trail={data} />
      <Panel title="Verify it yourself">
        <ol className={classes.steps}>
          <li>
            <span>Check the data folder, or a backup of it, on any machine. Nothing but the public key is needed:</span>
            <Command>{`belfry verify DIR --vkey '${data.vkey}'`}</Command>
          </li>
          <li>
            <span>Fetch today's checkpoint, and keep it where this server can't reach it:</span>
            <Command>{`curl -H "Authorization: Bearer $BELFRY_TOKEN" \\\n  ${location.origin}/trail/${data.organization}/checkpoint > checkpoint-$(date +%F)`}</Command>
          </li>
          <li>
            <span>Check that today's trail still holds all that a kept checkpoint spoke of:</span>
            <Command>{`belfry verify DIR --vkey '${data.vkey}' --checkpoint checkpoint-2026-01-31`}</Command>
          </li>
          <li>
            <span>Or from another machine, over the network: every event is fetched and hashed; the monitor goes on watching.</span>
            <Command>{`belfry verify --url ${location.origin} --vkey '${data.vkey}'\nbelfry monitor --url ${location.origin} --vkey '${data.vkey}'`}</Command>
          </li>
          <li>
            <span>
              Or use a tool that is not ours. The trail is served as C2SP tlog tiles, at <code>{`/trail/${data.organization}/`}</code>; any client of that format checks it.
            </span>
          </li>
        </ol>
      </Panel>
    </Page>
  )
}
