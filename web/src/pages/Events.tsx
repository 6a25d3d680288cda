import { ActionIcon, Button, Switch, Tooltip } from '@mantine/core'
import { useDocumentTitle, useMediaQuery } from '@mantine/hooks'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { ListCollapse, PanelLeft, RefreshCw } from 'lucide-react'
import { useCallback, useEffect, useMemo, useState } from 'react'
import * as ask from '@/api/queries'
import { ColumnChooser } from '@/components/ColumnChooser'
import { Facets } from '@/components/Facets'
import { KqlBar } from '@/components/KqlBar'
import { RangePicker } from '@/components/RangePicker'
import { ExportMenu, MakeRule, SavedFilters } from '@/components/SearchActions'
import { barsOf } from '@/components/bars'
import { EventDrawer } from '@/components/event/EventDrawer'
import { STANDARD_COLUMNS, columnTitle, eventColumn, fold, target, type EventRow } from '@/components/eventColumns'
import { useTitles } from '@/components/titles'
import { useLive } from '@/components/useLive'
import { useQuestion } from '@/components/useQuestion'
import { count } from '@/lib/format'
import { exclude, include } from '@/lib/kql'
import { rangeLabel, widthLabel } from '@/lib/range'
import { at, textAt } from '@/lib/record'
import { duration } from '@/lib/time'
import { DataTable, TwoLines } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Histogram } from '@/ui/Histogram'
import { SeverityShape } from '@/ui/Severity'
import { Time } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { useKeys } from '@/ui/keys'
import classes from './Events.module.css'

const STANDARD_RANGE = { from: 'now-24h', to: 'now' }

export function Events() {
  useDocumentTitle('Events · Belfry')
  const [address, setAddress] = useAddress()
  const asked = useQuestion(STANDARD_RANGE)
  const { filter, range, question } = asked
  const live = address.live === '1'
  const order = address.order === 'asc' && !live ? 'asc' : 'desc'
  const wide = useMediaQuery('(min-width: 1000px)', true)
  const facets = address.facets !== 'off' && wide
  const titles = useTitles()
  const known = useQuery(ask.fields)
  const found = useInfiniteQuery({ ...ask.events(question, order), placeholderData: keepPreviousData })
  const stream = useLive(live, filter)
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(new Set())

  const { hits, newest } = useMemo(() => {
    const stored = found.data?.pages.flatMap((p) => p.items) ?? []
    const top = stored[0]?.position ?? -1
    const fresh = stream.hits.filter((h) => h.position > top)
    return { hits: [...fresh, ...stored], newest: fresh.length > 0 ? top : Infinity }
  }, [found.data, stream.hits])
  const rows = useMemo(() => (address.fold === 'off' ? hits.map((hit) => ({ hit, folded: [] })) : fold(hits, unfolded)), [hits, unfolded, address.fold])

  const columnIds = useMemo(() => address.columns?.split(',').filter(Boolean) ?? STANDARD_COLUMNS, [address.columns])
  const fieldTitle = useCallback((field: string): string | undefined => known.data?.find((f) => f.name === field)?.title, [known.data])
  const titleOf = (id: string): string => columnTitle(id, fieldTitle)
  const columns = useMemo(() => {
    const unfold = (row: EventRow): void => setUnfolded((u) => new Set([...u, row.hit.position]))
    return columnIds.map((id) => eventColumn(id, { titles, fieldTitle, unfold }))
  }, [columnIds, titles, fieldTitle])

  const open = address.open
  const setFilter = (next: string): void => setAddress({ filter: next }, { push: true })
  const openAt = (position: number | undefined): void => setAddress({ open: position === undefined ? undefined : String(position), ...(position === undefined ? { tab: undefined } : {}) }, { push: open === undefined })
  const step = (by: 1 | -1): void => {
    const here = rows.findIndex((r) => String(r.hit.position) === open)
    const next = rows[here + by]
    if (next) openAt(next.hit.position)
  }
  useKeys({ '/': () => document.querySelector<HTMLElement>('[data-filter-bar]')?.focus() })

  // With the live tail on, the bars and counts are asked again now and then.
  const { again } = asked
  useEffect(() => {
    if (!live) return
    const timer = setInterval(again, 15_000)
    return () => clearInterval(timer)
  }, [live, again])

  // The bars count the same events; asking for the total once more would double the work.
  const total = useQuery({ ...ask.summary(question, 'event.severity', 'auto', 101), placeholderData: keepPreviousData }).data?.total ?? null
  return (
    <div className={classes.page}>
      <h1 className="hidden">Events</h1>
      <div className={classes.ask}>
        <KqlBar value={filter} onApply={(f) => (f === filter ? asked.again() : setFilter(f))} within={{ from: question.from, to: question.to }} />
        <div className={classes.when}>
          <RangePicker value={range} onChange={(r) => setAddress({ ...r, live: undefined }, { push: true })} />
          <Tooltip label="Ask again">
            <ActionIcon variant="default" size={36} aria-label="Ask again" onClick={asked.again} loading={found.isFetching && !found.isFetchingNextPage && !found.isPending && !live}>
              <RefreshCw size={15} />
            </ActionIcon>
          </Tooltip>
          <Switch label="Live" checked={live} onChange={(e) => setAddress({ live: e.currentTarget.checked ? '1' : undefined, ...(e.currentTarget.checked ? { to: undefined, order: undefined } : {}) })} />
        </div>
      </div>
      <Bars asked={asked} zoom={(from, to) => setAddress({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), live: undefined }, { push: true })} />
      <div className={classes.below}>
        {facets && <Facets question={question} onFilter={setFilter} />}
        <section className={classes.results} aria-label="Events found">
          <div className={classes.bar}>
            {wide && (
              <Tooltip label={facets ? 'Hide facets' : 'Show facets'}>
                <ActionIcon aria-label={facets ? 'Hide facets' : 'Show facets'} onClick={() => setAddress({ facets: facets ? 'off' : undefined })}>
                  <PanelLeft size={16} />
                </ActionIcon>
              </Tooltip>
            )}
            <span className="grow clip">
              <Found total={total} shown={hits.length} more={found.hasNextPage} tookMs={found.data?.pages[0]?.took_ms} />
              {live && <LiveState live={stream} />}
            </span>
            <Tooltip label={address.fold === 'off' ? 'Fold equal neighbours' : 'Show every event on its own'}>
              <ActionIcon aria-label="Fold equal neighbours" aria-pressed={address.fold !== 'off'} variant={address.fold === 'off' ? 'subtle' : 'light'} color={address.fold === 'off' ? 'gray' : 'bronze'} onClick={() => setAddress({ fold: address.fold === 'off' ? undefined : 'off' })}>
                <ListCollapse size={16} />
              </ActionIcon>
            </Tooltip>
            <span className={classes.actions}>
              <ColumnChooser
                value={columnIds}
                standard={STANDARD_COLUMNS}
                onChange={(c) => setAddress({ columns: c.join(',') === STANDARD_COLUMNS.join(',') ? undefined : c.join(',') })}
                available={[...new Set([...STANDARD_COLUMNS, ...(known.data ?? []).map((f) => f.name)])].map((id) => ({ id, title: titleOf(id) }))}
              />
              <SavedFilters filter={filter} onFilter={setFilter} />
              <ExportMenu filter={filter} range={range} columns={columnIds.map((id) => ({ field: EXPORTED[id] ?? id, title: titleOf(id) }))} />
              <MakeRule filter={filter} />
            </span>
          </div>
          {found.error && (
            <div style={{ padding: 12 }}>
              <Failure of={found.error} again={() => void found.refetch()} />
            </div>
          )}
          <DataTable
            name="events"
            columns={columns}
            rows={rows}
            rowKey={(r) => String(r.hit.position)}
            open={open}
            onOpen={(r) => openAt(r.hit.position)}
            onClose={() => openAt(undefined)}
            loading={found.isPending || found.isFetchingNextPage}
            more={found.hasNextPage}
            onMore={() => void found.fetchNextPage()}
            sort={{ column: '@timestamp', descending: order === 'desc' }}
            onSort={() => setAddress({ order: order === 'desc' ? 'asc' : undefined })}
            mark={(r) => (r.hit.position > newest ? 'new' : undefined)}
            narrow={(r) => (
              <TwoLines
                first={
                  <span className="row" style={{ gap: 7 }}>
                    <SeverityShape value={at(r.hit.event, 'event.severity')} />
                    <span className="clip">
                      {titles(textAt(r.hit.event, 'event.action'))}
                      {r.folded.length > 0 && ` ×${r.folded.length + 1}`}
                    </span>
                  </span>
                }
                aside={<Time at={textAt(r.hit.event, '@timestamp')} />}
                second={[textAt(r.hit.event, 'user.name'), target(r.hit.event), textAt(r.hit.event, 'source.ip')].filter(Boolean).join(' · ')}
              />
            )}
            empty={!found.error && <NothingFound filter={filter} range={rangeLabel(range)} widen={() => setAddress({ from: 'now-90d', to: 'now' }, { push: true })} clear={() => setFilter('')} />}
          />
        </section>
      </div>
      {open !== undefined && /^\d+$/.test(open) && (
        <EventDrawer
          position={Number(open)}
          tab={address.tab ?? 'summary'}
          onTab={(tab) => setAddress({ tab: tab === 'summary' ? undefined : tab })}
          onClose={() => openAt(undefined)}
          onStep={step}
          onOpen={openAt}
          onValue={(field, value, without) => setFilter(without ? exclude(filter, field, value) : include(filter, field, value))}
        />
      )}
    </div>
  )
}

// A report puts a column together from several fields with `|`: the first one that has a value.
const EXPORTED: Record<string, string> = { target: 'host.name|entity.name|credential.username|user.target.name', origin: 'source.ip', 'event.action': 'action.title', 'event.severity': 'severity.name' }

function Bars({ asked, zoom }: { asked: ReturnType<typeof useQuestion>; zoom: (from: number, to: number) => void }) {
  const { data, error, isPending } = useQuery({ ...ask.summary(asked.question, 'event.severity', 'auto', 101), placeholderData: keepPreviousData })
  const { bars, width } = barsOf(data, asked.span)
  return (
    <div className={classes.bars}>
      <div className={classes.caption}>{error ? 'the bars can\'t be drawn now' : isPending ? ' ' : `${count(data.total)} events, per ${widthLabel(width)} · drag to zoom`}</div>
      <Histogram bars={bars} width={width} from={asked.span.from} to={asked.span.to} height={104} onZoom={zoom} label={`Events over time by severity: ${count(data?.total ?? 0)} in ${rangeLabel(asked.range)}`} />
    </div>
  )
}

function Found({ total, shown, more, tookMs }: { total: number | null; shown: number; more: boolean; tookMs?: number }) {
  return (
    <>
      <strong>{total !== null ? count(Math.max(total, shown)) : more ? `${count(shown)}+` : count(shown)}</strong> {total === 1 ? 'event' : 'events'}
      {tookMs !== undefined && <span className="dim"> · {duration(tookMs)}</span>}
    </>
  )
}

function LiveState({ live }: { live: ReturnType<typeof useLive> }) {
  const words = { off: '', connecting: 'connecting…', on: `${count(live.hits.length)} came in`, broken: 'the stream broke, switch Live off and on' }[live.state]
  return (
    <span className={classes.live} data-state={live.state}>
      <i /> {words}
      {live.lag > 0 && ` · ${count(live.lag)} more came too fast to show, ask again to see them`}
    </span>
  )
}

function NothingFound({ filter, range, widen, clear }: { filter: string; range: string; widen: () => void; clear: () => void }) {
  const { data } = useQuery(ask.trail)
  if (data?.size === 0) {
    return (
      <Empty
        title="The trail is empty"
        command={`curl -H "Authorization: Bearer $BELFRY_TOKEN" ${location.origin}/api/v1/events \\\n  -d '{"event":{"action":"door.opened"},"user":{"name":"ada"},"host":{"name":"lab-2"}}'`}
      >
        Send a first event, or connect a source.
      </Empty>
    )
  }
  return (
    <Empty
      title={filter ? 'Nothing fits this filter' : 'Nothing happened'}
      action={
        <div className="row" style={{ justifyContent: 'center' }}>
          <Button variant="default" onClick={widen}>
            Search the last 90 days
          </Button>
          {filter && (
            <Button variant="default" onClick={clear}>
              Clear the filter
            </Button>
          )}
        </div>
      }
    >
      No event in this range: {range.toLowerCase()}.
    </Empty>
  )
}
