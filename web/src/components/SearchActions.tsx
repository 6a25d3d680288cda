import { Button, Checkbox, Menu, Modal, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Bookmark, Download, Siren, Trash2, Users } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Column, Format } from '@/api/types'
import { span, type Range } from '@/lib/range'
import { DialogFoot } from '@/ui/DialogFoot'
import { done, failed } from '@/ui/toast'
import { useMay } from './session'

/** Saved filters: use one, save this one, remove one. */
export function SavedFilters({ filter, onFilter }: { filter: string; onFilter: (filter: string) => void }) {
  const { data } = useQuery(ask.savedFilters)
  const client = useQueryClient()
  const [saving, save] = useDisclosure(false)
  const drop = async (id: string, name: string): Promise<void> => {
    try {
      await answer(http.DELETE('/api/v1/saved-filters/{id}', { params: { path: { id } } }))
      done('Filter removed', name)
    } catch (failure) {
      failed(failure)
    }
    void client.invalidateQueries({ queryKey: ask.key('saved-filters') })
  }
  const all = data?.items ?? []
  return (
    <>
      <Menu width={320}>
        <Menu.Target>
          <Button variant="default" leftSection={<Bookmark size={14} />}>
            Saved filters
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {all.length === 0 && <Menu.Label>None yet. Save the filter you ask again and again.</Menu.Label>}
          {all.map((f) => (
            <div key={f.id} className="row" style={{ gap: 0 }}>
              <Menu.Item className="grow" onClick={() => onFilter(f.filter)} title={f.filter} rightSection={f.shared ? <Users size={13} aria-label="shared" /> : null}>
                {f.name}
              </Menu.Item>
              <Menu.Item w={32} px={8} aria-label={`Remove ${f.name}`} onClick={() => void drop(f.id, f.name)}>
                <Trash2 size={13} />
              </Menu.Item>
            </div>
          ))}
          <Menu.Divider />
          <Menu.Item disabled={filter.trim() === ''} onClick={save.open}>
            Save this filter…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {saving && <SaveFilter filter={filter} close={save.close} />}
    </>
  )
}

function SaveFilter({ filter, close }: { filter: string; close: () => void }) {
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [shared, setShared] = useState(false)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    try {
      await answer(http.POST('/api/v1/saved-filters', { body: { name: name.trim(), filter, shared } }))
      done('Filter saved', name)
      close()
    } catch (failure) {
      failed(failure)
    }
    void client.invalidateQueries({ queryKey: ask.key('saved-filters') })
  }
  return (
    <Modal opened onClose={close} title={<strong>Save this filter</strong>}>
      <form onSubmit={submit} className="stack">
        <code style={{ overflowWrap: 'anywhere' }}>{filter}</code>
        <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus required withAsterisk={false} />
        <Checkbox label="Share it with everybody who may search" checked={shared} onChange={(e) => setShared(e.currentTarget.checked)} />
        <DialogFoot close={close} action="Save" ready={name.trim() !== ''} />
      </form>
    </Modal>
  )
}

// What is exported from a search is a run of this report, with the filter, the range and the columns of the search.
const EXPORT_REPORT = 'events'

/** Exports what was found, as a run of a report: it has a certificate and can be cancelled. */
export function ExportMenu({ filter, range, columns }: { filter: string; range: Range; columns: Column[] }) {
  const navigate = useNavigate()
  const may = useMay()
  const start = async (format: Format): Promise<void> => {
    const { from, to } = span(range, Date.now())
    try {
      const body = { filter, from: new Date(from).toISOString(), to: new Date(to).toISOString(), columns, format }
      const run = await answer(http.POST('/api/v1/reports/{id}/runs', { params: { path: { id: EXPORT_REPORT } }, body }))
      void navigate({ to: `/runs/${run.id}` })
    } catch (failure) {
      failed(failure)
    }
  }
  if (!may('reports:run')) return null
  return (
    <Menu>
      <Menu.Target>
        <Button variant="default" leftSection={<Download size={14} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => void start('csv')}>CSV, for a spreadsheet</Menu.Item>
        <Menu.Item onClick={() => void start('json')}>JSON, with its proof</Menu.Item>
        <Menu.Item onClick={() => void start('pdf')}>PDF, for an auditor</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}

export function MakeRule({ filter }: { filter: string }) {
  const may = useMay()
  if (!may('rules:write')) return null
  return (
    <Button variant="default" leftSection={<Siren size={14} />} component={Link} to="/rules/new" {...({ search: filter ? { filter } : {} } as object)}>
      Make a rule
    </Button>
  )
}
