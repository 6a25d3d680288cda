import { Button, Modal, Select, Skeleton, Switch, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { SelectionRule } from '@/api/types'
import { useMay } from '@/components/session'
import { count, plural } from '@/lib/format'
import { useAsk } from '@/ui/Ask'
import { DialogFoot } from '@/ui/DialogFoot'
import { Empty } from '@/ui/Empty'
import { Failure } from '@/ui/Failure'
import { Panel } from '@/ui/Panel'
import { done, failed } from '@/ui/toast'
import classes from './Source.module.css'

const ALL = '*'

/** What of a source is left out: the rules, what each leaves out, and a new one with a preview. */
export function Selection({ source }: { source: string }) {
  const { data, error, refetch } = useQuery(ask.selection)
  const client = useQueryClient()
  const may = useMay()
  const writable = may('selection:write')
  const [making, setMaking] = useState(false)
  const [asking, question] = useAsk()
  if (error) return <Failure of={error} again={() => void refetch()} />
  if (!data) return <Skeleton height={200} />
  const rules = data.items.filter((r) => r.source === source || r.source === ALL)
  const fresh = (): Promise<void> => client.invalidateQueries({ queryKey: ask.key('selection') })
  const turn = async (rule: SelectionRule, enabled: boolean): Promise<void> => {
    try {
      await answer(http.PUT('/api/v1/selection/{id}', { params: { path: { id: rule.id } }, body: { source: rule.source, action: rule.action, filter: rule.filter, reason: rule.reason, enabled } }))
    } catch (failure) {
      failed(failure)
    }
    await fresh()
  }
  const remove = (rule: SelectionRule): void =>
    asking({
      title: 'Remove this rule?',
      text: 'From now on these events are kept. What was left out so far can\'t be had back.',
      action: 'Remove the rule',
      run: async () => {
        await answer(http.DELETE('/api/v1/selection/{id}', { params: { path: { id: rule.id } } }))
        await fresh()
      },
    })
  return (
    <>
      {question}
      <Panel
        title="What is left out"
        aside={
          writable && (
            <Button variant="default" leftSection={<Plus size={14} />} onClick={() => setMaking(true)}>
              Leave something out
            </Button>
          )
        }
        flush
      >
        {rules.length === 0 ? (
          <Empty title="Everything is kept">Events that nobody will ever ask for can be left out, by type or by filter, before they reach the trail. What is left out is counted, and each rule is an event itself.</Empty>
        ) : (
          <div className={classes.scroll} style={{ maxHeight: 'none' }} tabIndex={0} role="region" aria-label="Rules that leave events out">
            <table className={classes.table}>
              <thead>
                <tr>
                  <th>On</th>
                  <th>Events</th>
                  <th>Why</th>
                  <th className="number">Last 24 h</th>
                  <th className="number">In all</th>
                  <th>By</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {rules.map((r) => (
                  <tr key={r.id}>
                    <td>
                      <Switch aria-label={`Leave out ${r.action || 'all'} of ${r.source}`} checked={r.enabled} disabled={!writable} onChange={(e) => void turn(r, e.currentTarget.checked)} />
                    </td>
                    <td data-wrap>
                      {r.source === ALL && <span className="dim">all sources: </span>}
                      <code>{r.action || 'all types'}</code>
                      {r.filter && (
                        <>
                          {' '}
                          where <code>{r.filter}</code>
                        </>
                      )}
                    </td>
                    <td data-wrap>{r.reason}</td>
                    <td className="number">{count(r.left_out_day)}</td>
                    <td className="number">{count(r.left_out_total)}</td>
                    <td>{r.updated_by}</td>
                    <td>
                      {writable && (
                        <Button variant="default" size="compact-xs" onClick={() => remove(r)}>
                          Remove…
                        </Button>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      {making && (
        <NewRule
          source={source}
          close={() => setMaking(false)}
          made={() => {
            setMaking(false)
            void fresh()
          }}
        />
      )}
    </>
  )
}

function NewRule({ source, close, made }: { source: string; close: () => void; made: () => void }) {
  const [draft, setDraft] = useState({ source, action: '', filter: '', reason: '' })
  const [failure, setFailure] = useState<unknown>(null)
  const [tried] = useDebouncedValue({ source: draft.source, action: draft.action.trim(), filter: draft.filter.trim() }, 400)
  const preview = useQuery({
    queryKey: ['selection-preview', tried],
    queryFn: ({ signal }) => answer(http.POST('/api/v1/selection/preview', { body: { ...tried, days: 7 }, signal })),
    placeholderData: keepPreviousData,
    retry: false,
  })
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      await answer(http.POST('/api/v1/selection', { body: { ...draft, action: draft.action.trim(), filter: draft.filter.trim(), enabled: true } }))
      done('Rule made', 'These events are left out from now on.')
      made()
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <Modal opened onClose={close} title={<strong>Leave events out</strong>} size="lg">
      <form onSubmit={submit} className="stack">
        <Select label="Of" value={draft.source} onChange={(v) => setDraft({ ...draft, source: v ?? source })} data={[{ value: source, label: source }, { value: ALL, label: 'all sources' }]} />
        <TextInput label="Type" description="An action, or a pattern such as vault.*; empty means all." placeholder="vault.token_renewed" value={draft.action} onChange={(e) => setDraft({ ...draft, action: e.currentTarget.value })} data-autofocus />
        <TextInput label="And where" description="A filter that must hold as well; empty means always." placeholder="user.name: healthcheck" value={draft.filter} onChange={(e) => setDraft({ ...draft, filter: e.currentTarget.value })} />
        <TextInput label="Why they are not kept" description="Goes into the trail with your name." value={draft.reason} onChange={(e) => setDraft({ ...draft, reason: e.currentTarget.value })} required />
        <div role="status">
          {preview.error ? (
            <Failure of={preview.error} />
          ) : preview.data ? (
            <>
              Of the last 7 days it would have left out <strong>{count(preview.data.events)}</strong> of {plural(preview.data.of, 'event')}
              {preview.data.truncated && ', counted in part'}.
              {preview.data.by_type.slice(0, 5).map((t) => (
                <div key={t.action} className="dim small">
                  {count(t.events)} × {t.title} <code>{t.action}</code>
                </div>
              ))}
            </>
          ) : (
            <Skeleton height={20} />
          )}
        </div>
        <DialogFoot failure={failure} close={close} action="Leave them out" ready={draft.reason.trim() !== ''} />
      </form>
    </Modal>
  )
}
