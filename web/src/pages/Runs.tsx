import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { FileText } from 'lucide-react'
import * as ask from '@/api/queries'
import type { Run } from '@/api/types'
import { FORMATS, RunCard, RunState } from '@/components/RunCard'
import { bytes, count } from '@/lib/format'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { SidePanel } from '@/ui/SidePanel'
import { Ago, Time } from '@/ui/Time'

const COLUMNS: ReadonlyArray<TableColumn<Run>> = [
  { id: 'at', title: 'Time', width: 150, render: (r) => <Time at={r.at} /> },
  { id: 'title', title: 'Report', width: 220, grow: true, render: (r) => r.title },
  { id: 'state', title: 'State', width: 120, render: (r) => <RunState run={r} /> },
  { id: 'format', title: 'Format', width: 110, render: (r) => FORMATS[r.format] ?? r.format },
  { id: 'rows', title: 'Rows', width: 100, align: 'right', render: (r) => count(r.rows) },
  { id: 'size', title: 'Size', width: 90, align: 'right', render: (r) => (r.size_bytes == null ? <span className="dim">—</span> : bytes(r.size_bytes)) },
  { id: 'by', title: 'Taken by', width: 150, render: (r) => r.by },
  { id: 'filter', title: 'Filter', width: 260, grow: true, render: (r) => (r.filter ? <code>{r.filter}</code> : <span className="dim">every event</span>) },
  {
    id: 'get',
    title: '',
    width: 96,
    render: (r) =>
      r.download && r.state === 'done' ? (
        <a href={r.download} download onClick={(e) => e.stopPropagation()}>
          Download
        </a>
      ) : null,
  },
]

export function Runs() {
  const { id } = useParams({ strict: false }) as { id?: string }
  const { data, error, isPending, refetch } = useQuery(ask.runs)
  const navigate = useNavigate()
  const close = (): void => void navigate({ to: '/runs' })
  return (
    <Page
      fill
      title="Runs of reports"
      lead="Every report that was taken, by whom, of which state of the trail."
      actions={
        <Button variant="default" leftSection={<FileText size={14} />} component={Link} to="/reports">
          Reports
        </Button>
      }
    >
      {error && <Failure of={error} again={() => void refetch()} />}
      <Listing>
        <DataTable
          name="runs"
          columns={COLUMNS}
          rows={data?.items ?? []}
          rowKey={(r) => r.id}
          open={id}
          onOpen={(r) => void navigate({ to: `/runs/${r.id}` })}
          onClose={close}
          loading={isPending}
          narrow={(r) => <TwoLines first={r.title} aside={<Ago at={r.at} />} second={`${FORMATS[r.format] ?? r.format} · ${r.state} · ${count(r.rows)} rows · ${r.by}`} />}
          empty={!error && <Empty title="No report was run yet" action={<Link to="/reports">Choose a report</Link>} />}
        />
      </Listing>
      {id && (
        <SidePanel label="Run" title="Run" onClose={close}>
          <RunCard id={id} />
        </SidePanel>
      )}
    </Page>
  )
}
