import { Button, SegmentedControl } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import * as ask from '@/api/queries'
import type { Mapping } from '@/api/types'
import { useMay } from '@/components/session'
import { DataTable, TwoLines, type TableColumn } from '@/ui/DataTable'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Listing } from '@/ui/Listing'
import { Page } from '@/ui/Page'
import { Chip } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { useAddress } from '@/ui/address'

function origin(m: Mapping): React.ReactNode {
  if (m.builtin) return <Chip>shipped</Chip>
  return m.shipped ? <Chip tone="warn">shipped, changed</Chip> : <Chip tone="accent">your own</Chip>
}

const COLUMNS: ReadonlyArray<TableColumn<Mapping>> = [
  { id: 'name', title: 'Mapping', width: 160, render: (m) => <strong style={{ fontWeight: 550 }}>{m.name}</strong> },
  { id: 'description', title: 'Reads', width: 320, grow: true, render: (m) => <span title={m.description}>{m.description}</span> },
  { id: 'origin', title: 'From', width: 130, render: origin },
  { id: 'version', title: 'Version', width: 80, align: 'right', render: (m) => m.version },
  { id: 'hash', title: 'In events', width: 110, render: (m) => <code className="dim">@{m.hash}</code> },
  { id: 'used', title: 'Used by', width: 180, grow: true, render: (m) => (m.used_by.length > 0 ? m.used_by.join(', ') : <span className="dim">no source</span>) },
  { id: 'changed', title: 'Changed', width: 110, render: (m) => (m.updated_at ? <Ago at={m.updated_at} /> : <span className="dim">—</span>) },
  { id: 'by', title: 'By', width: 110, render: (m) => m.updated_by ?? <span className="dim">—</span> },
]

export function Mappings() {
  const [address, setAddress] = useAddress()
  const shown = address.show ?? 'all'
  const { data, error, isPending, refetch } = useQuery(ask.mappings)
  const navigate = useNavigate()
  const may = useMay()
  const rows = (data?.items ?? []).filter((m) => shown === 'all' || (shown === 'own') === !m.builtin)
  return (
    <Page
      fill
      title="Mappings"
      lead="Small programs that turn a product's records into events."
      actions={
        may('mappings:write') && (
          <Button leftSection={<Plus size={14} />} component={Link} to="/mappings/new">
            New mapping
          </Button>
        )
      }
    >
      {error && <Failure of={error} again={() => void refetch()} />}
      <Listing
        bar={
          <SegmentedControl
            aria-label="Which mappings"
            value={shown}
            onChange={(v) => setAddress({ show: v === 'all' ? undefined : v })}
            data={[
              { value: 'all', label: 'All' },
              { value: 'own', label: 'Made or changed here' },
              { value: 'shipped', label: 'Shipped' },
            ]}
          />
        }
      >
        <DataTable
          name="mappings"
          columns={COLUMNS}
          rows={rows}
          rowKey={(m) => m.name}
          onOpen={(m) => void navigate({ to: `/mappings/${m.name}` })}
          loading={isPending}
          narrow={(m) => <TwoLines first={m.name} aside={`version ${m.version}`} second={m.description} />}
          empty={!error && <Empty title="Nothing was made or changed here yet">A mapping that ships with Belfry can be changed as well: open it, and save it as the next version.</Empty>}
        />
      </Listing>
    </Page>
  )
}
