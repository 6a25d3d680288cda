import { Button } from '@mantine/core'
import { Plus } from 'lucide-react'
import { DataTable, type TableColumn } from './DataTable'
import { Failure } from './Failure'
import { Listing } from './Listing'
import { useAddress } from './address'

interface Props<R> {
  /** As the table is called. */
  name: string
  columns: ReadonlyArray<TableColumn<R>>
  /** The question to the server, and what it answered. */
  asked: { data?: { items: R[] }; error: unknown; isPending: boolean; refetch: () => unknown }
  rowKey: (row: R) => string
  narrow: (row: R) => React.ReactNode
  /** What stands there when there is none. */
  empty: React.ReactNode
  /** A word above the list. */
  about?: string
  /** What the button says that makes a new one; false for who may not. */
  make?: string | false
}

/** A whole list in its frame. Which row is open beside it, or that a new one is being made, stands in the address under `open`. */
export function OpenList<R>({ name, columns, asked, rowKey, narrow, empty, about, make }: Props<R>) {
  const [address, setAddress] = useAddress()
  const { data, error, isPending, refetch } = asked
  const bar = (about !== undefined || make !== undefined) && (
    <>
      <span className="dim grow">{about}</span>
      {make && (
        <Button leftSection={<Plus size={14} />} onClick={() => setAddress({ open: 'new' })}>
          {make}
        </Button>
      )}
    </>
  )
  return (
    <>
      {Boolean(error) && <Failure of={error} again={() => void refetch()} />}
      <Listing bar={bar}>
        <DataTable
          name={name}
          columns={columns}
          rows={data?.items ?? []}
          rowKey={rowKey}
          open={address.open}
          onOpen={(row) => setAddress({ open: rowKey(row) })}
          onClose={() => setAddress({ open: undefined })}
          loading={isPending}
          narrow={narrow}
          empty={!error && empty}
        />
      </Listing>
    </>
  )
}
