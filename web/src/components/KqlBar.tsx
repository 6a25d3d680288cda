import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { Search, X } from 'lucide-react'
import { useEffect, useId, useMemo, useRef, useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Field, FilterFault } from '@/api/types'
import { count } from '@/lib/format'
import { literal, placeAt, tokens, type Place } from '@/lib/kql'
import { bySeverity } from '@/lib/severity'
import classes from './KqlBar.module.css'

interface Props {
  value: string
  onApply: (filter: string) => void
  /** The range and filter that values are counted in. */
  within?: { from?: string; to?: string }
  label?: string
  placeholder?: string
  /** Applies while typing, for a filter that is part of a form. */
  eager?: boolean
}

interface Suggestion {
  insert: string
  shown: string
  aside: string
}

/** A filter in KQL: completes fields and values with counts, underlines what is wrong and offers the mend. */
export function KqlBar({ value, onApply, within, label = 'Filter', placeholder = 'Filter in KQL, for example  event.action: credential.* and event.outcome: failure', eager }: Props) {
  const id = useId()
  const input = useRef<HTMLTextAreaElement>(null)
  const [text, setText] = useState(value)
  const [seen, setSeen] = useState(value)
  const [cursor, setCursor] = useState(0)
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(-1)
  if (seen !== value) {
    setSeen(value)
    setText(value)
  }

  const [checked] = useDebouncedValue(text, 250)
  const check = useQuery({ queryKey: ['filter-check', checked], queryFn: () => answer(http.POST('/api/v1/filters/check', { body: { filter: checked } })), enabled: checked.trim() !== '', staleTime: Infinity })
  const fault = checked === text && text.trim() !== '' && check.data && !check.data.ok ? (check.data.error ?? null) : null

  const place = useMemo(() => placeAt(text, cursor), [text, cursor])
  const suggestions = useSuggestions(place, open, within)
  const chosen = at >= 0 && at < suggestions.length ? at : -1

  const change = (next: string, caret: number): void => {
    setText(next)
    setCursor(caret)
    setAt(-1)
    if (eager) onApply(next)
    requestAnimationFrame(() => {
      input.current?.focus()
      input.current?.setSelectionRange(caret, caret)
    })
  }
  const accept = (s: Suggestion): void => {
    if (place.kind === 'none') return
    const rest = text.slice(place.end)
    const space = s.insert.endsWith(' ') && rest.startsWith(' ') ? rest.slice(1) : rest
    change(text.slice(0, place.start) + s.insert + space, place.start + s.insert.length)
  }
  const apply = (): void => {
    setOpen(false)
    onApply(text.trim())
  }
  const mend = (f: FilterFault): void => {
    if (!f.suggestion) return
    const next = text.slice(0, f.offset) + f.suggestion + text.slice(f.offset + f.length)
    setText(next)
    onApply(next)
  }

  const onKeyDown = (e: React.KeyboardEvent): void => {
    if (open && suggestions.length > 0 && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
      const step = e.key === 'ArrowDown' ? 1 : -1
      setAt((chosen + step + suggestions.length + (chosen < 0 && step < 0 ? 1 : 0)) % suggestions.length)
    } else if (e.key === 'Tab' && open && suggestions.length > 0 && !e.shiftKey && (place.kind !== 'none' && (chosen >= 0 || ('prefix' in place && place.prefix !== '')))) {
      const s = suggestions[Math.max(0, chosen)]
      if (s) accept(s)
    } else if (e.key === 'Enter') {
      const s = suggestions[chosen]
      if (open && s) accept(s)
      else apply()
    } else if (e.key === 'Escape') {
      if (!open) input.current?.blur()
      setOpen(false)
    } else return
    e.preventDefault()
  }

  return (
    <div className={classes.bar}>
      <div className={classes.box} data-bad={fault ? true : undefined}>
        <Search size={15} className={classes.icon} />
        <div className={classes.field}>
          <div className={classes.mirror} aria-hidden="true">
            {paint(text, fault)}{' '}
          </div>
          <textarea
            ref={input}
            rows={1}
            role="combobox"
            aria-label={label}
            aria-expanded={open && suggestions.length > 0}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
            aria-invalid={fault !== null}
            aria-describedby={fault ? `${id}-fault` : undefined}
            spellCheck={false}
            autoCapitalize="off"
            placeholder={placeholder}
            value={text}
            data-filter-bar={eager ? undefined : true}
            onChange={(e) => {
              const next = e.currentTarget.value.replace(/\n/g, ' ')
              setText(next)
              setCursor(e.currentTarget.selectionStart)
              setOpen(true)
              setAt(-1)
              if (eager) onApply(next)
            }}
            onSelect={(e) => setCursor(e.currentTarget.selectionStart)}
            onFocus={() => setOpen(true)}
            onBlur={() => setOpen(false)}
            onKeyDown={onKeyDown}
          />
        </div>
        {text !== '' && (
          <button type="button" className={`plain ${classes.clear}`} aria-label="Clear the filter" onClick={() => { setText(''); onApply('') }}>
            <X size={14} />
          </button>
        )}
        {!eager && text.trim() !== value && (
          <button type="button" className={classes.apply} onClick={apply}>
            Search <kbd>Enter</kbd>
          </button>
        )}
      </div>
      {open && suggestions.length > 0 && (
        <ul className={classes.list} role="listbox" id={`${id}-list`} aria-label="Suggestions">
          {suggestions.map((s, i) => (
            <Option key={s.insert} id={`${id}-${i}`} suggestion={s} chosen={i === chosen} take={() => accept(s)} />
          ))}
          <li className={classes.hint} role="presentation">
            <kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Tab</kbd> take · <kbd>Enter</kbd> {eager ? 'done' : 'search'}
          </li>
        </ul>
      )}
      {fault && (
        <div className={classes.fault} id={`${id}-fault`} role="alert">
          <span>{fault.message}</span>
          {fault.suggestion && (
            <button type="button" className={classes.mend} onClick={() => mend(fault)}>
              did you mean <code>{fault.suggestion}</code>?
            </button>
          )}
        </div>
      )}
    </div>
  )
}

function Option({ id, suggestion, chosen, take }: { id: string; suggestion: Suggestion; chosen: boolean; take: () => void }) {
  const ref = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (chosen) ref.current?.scrollIntoView({ block: 'nearest' })
  }, [chosen])
  return (
    <li
      ref={ref}
      id={id}
      role="option"
      aria-selected={chosen}
      data-chosen={chosen || undefined}
      onMouseDown={(e) => {
        e.preventDefault()
        take()
      }}
    >
      <code className="grow clip">{suggestion.shown}</code>
      <span className="dim small">{suggestion.aside}</span>
    </li>
  )
}

const JOINS: Suggestion[] = [
  { insert: 'and ', shown: 'and', aside: 'both must fit' },
  { insert: 'or ', shown: 'or', aside: 'one of both must fit' },
  { insert: 'and not ', shown: 'and not', aside: 'leave out' },
]

function useSuggestions(place: Place, open: boolean, within: Props['within']): Suggestion[] {
  const fields = useQuery({ ...ask.fields, enabled: open })
  const catalogue = useQuery({ ...ask.catalogue, enabled: open && place.kind === 'value' && place.field === 'event.action' })
  const [prefix] = useDebouncedValue(place.kind === 'value' ? place.prefix.replace(/\*$/, '') : '', 120)
  const field = place.kind === 'value' ? place.field : ''
  // Severities are numbers in events and words for people; the words are few, so all of them are asked for.
  const asked = field === 'event.severity' ? '' : prefix
  const values = useQuery({ ...ask.values({ filter: '', ...within }, field, asked), enabled: open && field !== '' && !field.includes('*'), placeholderData: (before) => before })
  if (!open || place.kind === 'none') return []
  if (place.kind === 'join') return JOINS.filter((j) => j.shown.startsWith(place.prefix.toLowerCase()))
  if (place.kind === 'field') return fieldSuggestions(fields.data ?? [], place.prefix)
  const found = values.data?.items ?? []
  const counted = (field === 'event.severity' ? bySeverity(found) : found).filter((v) => v.value.toLowerCase().startsWith(place.prefix.toLowerCase().replace(/\*$/, '')))
  const known = counted.map((v) => ({ insert: `${literal(v.value)} `, shown: v.value, aside: count(v.count) }))
  if (field !== 'event.action' || place.prefix.length < 2) return known
  const more = (catalogue.data ?? []).filter((t) => t.id.startsWith(place.prefix.replace(/\*$/, '')) && !counted.some((c) => c.value === t.id))
  return [...known, ...more.slice(0, 6).map((t) => ({ insert: `${t.id} `, shown: t.id, aside: t.title }))]
}

function fieldSuggestions(fields: Field[], prefix: string): Suggestion[] {
  const wanted = prefix.toLowerCase()
  const rank = (f: Field): number => (f.name.startsWith(wanted) ? 0 : f.name.includes(wanted) ? 1 : f.title.toLowerCase().includes(wanted) ? 2 : 3)
  return fields
    .map((f) => ({ f, r: rank(f) }))
    .filter(({ r }) => r < 3)
    .sort((a, b) => a.r - b.r)
    .slice(0, 40)
    .map(({ f }) => ({ insert: `${f.name}: `, shown: f.name, aside: f.title }))
}

/** The text with its parts coloured and the faulty stretch underlined; it lies under the transparent text of the input. */
function paint(text: string, fault: FilterFault | null): React.ReactNode[] {
  const all = tokens(text)
  const parts: React.ReactNode[] = []
  let at = 0
  const put = (from: number, to: number, kind?: string): void => {
    if (to <= from) return
    const marks = fault ? [Math.min(Math.max(fault.offset, from), to), Math.min(Math.max(fault.offset + Math.max(1, fault.length), from), to)] : [to, to]
    const [start = to, end = to] = marks
    for (const [a, b, bad] of [[from, start, false], [start, end, true], [end, to, false]] as const) {
      if (b > a) parts.push(<span key={a} className={`${kind ? classes[kind] : ''} ${bad ? classes.wrong : ''}`}>{text.slice(a, b)}</span>)
    }
  }
  all.forEach((token, i) => {
    put(at, token.start)
    const isField = token.kind === 'word' && all[i + 1]?.kind === 'operator'
    put(token.start, token.end, isField ? 'name' : token.kind)
    at = token.end
  })
  put(at, text.length)
  return parts
}
