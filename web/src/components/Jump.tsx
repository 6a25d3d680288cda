import { Modal } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { CornerDownLeft, Search, type LucideIcon } from 'lucide-react'
import { useState } from 'react'
import * as ask from '@/api/queries'
import { count } from '@/lib/format'
import { literal } from '@/lib/kql'
import type { Address } from '@/ui/address'
import classes from './Jump.module.css'
import { useMay } from './session'

interface Target {
  key: string
  kind: string
  title: string
  aside?: string
  to: string
  search?: Address
}

/** Finds pages, users, hosts, sessions, reports, rules, and an event by its id or position. */
export default function Jump({ close, places }: { close: () => void; places: Array<{ to: string; title: string; icon: LucideIcon }> }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const navigate = useNavigate()
  const targets = useTargets(text.trim(), places)
  const chosen = Math.min(at, Math.max(0, targets.length - 1))
  const go = (target: Target | undefined): void => {
    if (!target) return
    close()
    void navigate({ to: target.to, search: (target.search ?? {}) as never })
  }
  return (
    <Modal opened onClose={close} withCloseButton={false} padding={0} size={560} yOffset="12vh" centered={false} aria-label="Jump to">
      <div className={classes.input}>
        <Search size={16} />
        <input
          autoFocus
          aria-label="Jump to"
          role="combobox"
          aria-expanded="true"
          aria-controls="jump-targets"
          aria-activedescendant={targets[chosen] ? `jump-${chosen}` : undefined}
          placeholder="Page, user, host, session, report, rule, event id or position"
          value={text}
          onChange={(e) => {
            setText(e.currentTarget.value)
            setAt(0)
          }}
          onKeyDown={(e) => {
            if (e.key === 'ArrowDown') setAt(Math.min(targets.length - 1, chosen + 1))
            else if (e.key === 'ArrowUp') setAt(Math.max(0, chosen - 1))
            else if (e.key === 'Enter') go(targets[chosen])
            else return
            e.preventDefault()
          }}
        />
        <kbd>Esc</kbd>
      </div>
      <ul className={classes.list} role="listbox" id="jump-targets" aria-label="Targets">
        {targets.map((t, i) => (
          <li key={t.key} id={`jump-${i}`} role="option" aria-selected={i === chosen} data-chosen={i === chosen || undefined} onMouseMove={() => setAt(i)} onClick={() => go(t)}>
            <span className={classes.kind}>{t.kind}</span>
            <span className="grow clip">{t.title}</span>
            {t.aside && <span className="dim small">{t.aside}</span>}
            {i === chosen && <CornerDownLeft size={13} />}
          </li>
        ))}
      </ul>
    </Modal>
  )
}

function useTargets(text: string, places: Array<{ to: string; title: string }>): Target[] {
  const may = useMay()
  const [asked] = useDebouncedValue(text, 160)
  const lower = text.toLowerCase()
  const fits = (name: string): boolean => name.toLowerCase().includes(lower)
  const searching = asked.length >= 2 && may('events:read')
  const month = { filter: '' }
  const users = useQuery({ ...ask.values(month, 'user.name', asked), enabled: searching })
  const hosts = useQuery({ ...ask.values(month, 'host.name', asked), enabled: searching })
  const sessions = useQuery({ ...ask.values(month, 'session.id', asked), enabled: searching })
  const reports = useQuery({ ...ask.reports, enabled: may('reports:run') })
  const rules = useQuery({ ...ask.rules, enabled: may('rules:read') })

  const targets: Target[] = []
  if (/^[\d,.]+$/.test(text) && may('events:read')) {
    const position = text.replace(/\D/g, '')
    targets.push({ key: 'position', kind: 'event', title: `Event at position ${count(Number(position))}`, to: '/events', search: { open: position } })
  }
  targets.push(...places.filter((p) => fits(p.title)).map((p) => ({ key: p.to, kind: 'page', title: p.title, to: p.to })))
  if (text === '') return targets
  targets.push(...(reports.data?.items ?? []).filter((r) => fits(r.title)).map((r) => ({ key: `report-${r.id}`, kind: 'report', title: r.title, aside: r.group, to: `/reports/${r.id}` })))
  targets.push(...(rules.data?.items ?? []).filter((r) => fits(r.name)).map((r) => ({ key: `rule-${r.id}`, kind: 'rule', title: r.name, to: `/rules/${r.id}` })))
  for (const [kind, field, found] of [
    ['user', 'user.name', users.data],
    ['host', 'host.name', hosts.data],
    ['session', 'session.id', sessions.data],
  ] as const) {
    targets.push(
      ...(found?.items ?? []).slice(0, 5).map((v) => ({
        key: `${kind}-${v.value}`,
        kind,
        title: v.value,
        aside: `${count(v.count)} events`,
        to: '/events',
        search: { filter: `${field}: ${literal(v.value)}`, from: 'now-30d', to: 'now' },
      })),
    )
  }
  if (may('events:read')) {
    if (/^[0-9a-zA-Z-]{16,}$/.test(text)) targets.push({ key: 'id', kind: 'event', title: `Event with id ${text}`, to: '/events', search: { filter: `event.id: ${literal(text)}`, from: 'now-365d', to: 'now' } })
    targets.push({ key: 'words', kind: 'search', title: `Events that contain “${text}”`, to: '/events', search: { filter: `"${text.replace(/[\\"]/g, '\\$&')}"`, from: 'now-30d', to: 'now' } })
  }
  return targets.slice(0, 14)
}
