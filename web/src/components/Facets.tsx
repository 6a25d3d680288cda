import { Skeleton } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { useState } from 'react'
import * as ask from '@/api/queries'
import { count } from '@/lib/format'
import { exclude, hasClause, include, literal } from '@/lib/kql'
import { bySeverity } from '@/lib/severity'
import { SeverityMark } from '@/ui/Severity'
import classes from './Facets.module.css'
import { useTitles } from './titles'

const FACETS = [
  { field: 'event.action', title: 'Action' },
  { field: 'event.severity', title: 'Severity' },
  { field: 'event.outcome', title: 'Outcome' },
  { field: 'user.name', title: 'Actor' },
  { field: 'host.name', title: 'Target' },
  { field: 'source.ip', title: 'Origin' },
  { field: 'event.module', title: 'Source' },
] as const

/** The most frequent values of a few fields. A click includes one, an alt-click leaves it out. */
export function Facets({ question, onFilter }: { question: ask.Question; onFilter: (filter: string) => void }) {
  return (
    <aside className={classes.facets} aria-label="Facets">
      {FACETS.map((f) => (
        <Facet key={f.field} field={f.field} title={f.title} question={question} onFilter={onFilter} />
      ))}
    </aside>
  )
}

function Facet({ field, title, question, onFilter }: { field: string; title: string; question: ask.Question; onFilter: (filter: string) => void }) {
  const [open, setOpen] = useLocalStorage({ key: `belfry-facet-${field}`, defaultValue: true })
  const [all, setAll] = useState(false)
  const titles = useTitles()
  const { data, isPending, isError } = useQuery({ ...ask.values(question, field, ''), enabled: open, placeholderData: (before) => before })
  const found = data?.items ?? []
  const items = field === 'event.severity' ? bySeverity(found) : found
  const most = Math.max(1, ...items.map((i) => i.count))
  return (
    <section className={classes.facet}>
      <button type="button" className={`plain ${classes.title}`} aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? <ChevronDown size={13} /> : <ChevronRight size={13} />}
        {title}
      </button>
      {open && isPending && [80, 60, 45].map((w) => <Skeleton key={w} height={9} width={`${w}%`} my={7} ml={17} />)}
      {open && isError && <div className={classes.none}>can't be counted now</div>}
      {open && !isPending && !isError && items.length === 0 && <div className={classes.none}>none</div>}
      {open && (
        <ul>
          {items.slice(0, all ? 12 : 5).map((item) => {
            const chosen = hasClause(question.filter, `${field}: ${literal(item.value)}`)
            return (
              <li key={item.value}>
                <button
                  type="button"
                  className={classes.value}
                  data-chosen={chosen || undefined}
                  title={`${item.value}\nClick: only these. Alt-click: without these.`}
                  onClick={(e) => onFilter(e.altKey ? exclude(question.filter, field, item.value) : include(question.filter, field, item.value))}
                >
                  <i style={{ width: `${(item.count / most) * 100}%` }} aria-hidden="true" />
                  <span className="grow clip">{field === 'event.severity' ? <SeverityMark value={item.value} /> : field === 'event.action' ? titles(item.value) : item.value}</span>
                  <span className={classes.count}>{count(item.count)}</span>
                </button>
              </li>
            )
          })}
          {items.length > 5 && (
            <li>
              <button type="button" className={`plain ${classes.more}`} onClick={() => setAll(!all)}>
                {all ? 'fewer' : `${items.length - 5} more`}
              </button>
            </li>
          )}
        </ul>
      )}
    </section>
  )
}
