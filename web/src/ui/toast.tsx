import { CloseButton } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { inWords } from '@/api/problem'
import classes from './toast.module.css'

interface Toast {
  id: number
  kind: 'ok' | 'bad'
  title: string
  detail: string
}

let shown: Toast[] = []
let lastId = 0
const listeners = new Set<() => void>()

function change(next: Toast[]): void {
  shown = next
  listeners.forEach((tell) => tell())
}

function show(kind: Toast['kind'], title: string, detail: string, ms: number): void {
  const id = ++lastId
  change([...shown, { id, kind, title, detail }].slice(-4))
  setTimeout(() => change(shown.filter((t) => t.id !== id)), ms)
}

/** Says that something was done. */
export function done(title: string, detail = ''): void {
  show('ok', title, detail, 4_000)
}

/** Says that something failed, with the request id. */
export function failed(failure: unknown): void {
  const words = inWords(failure)
  show('bad', words.title, [words.detail, words.todo, words.requestId ? `Request ${words.requestId}` : ''].filter(Boolean).join(' · '), 12_000)
}

export function Toasts() {
  const toasts = useSyncExternalStore(
    (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    () => shown,
  )
  return (
    <div className={classes.toasts} role="status" aria-live="polite">
      {toasts.map((t) => (
        <div key={t.id} className={classes.toast} data-kind={t.kind}>
          <div className="grow">
            <strong>{t.title}</strong>
            {t.detail && <div className="dim small">{t.detail}</div>}
          </div>
          <CloseButton size="sm" aria-label="Dismiss" onClick={() => change(shown.filter((o) => o.id !== t.id))} />
        </div>
      ))}
    </div>
  )
}
