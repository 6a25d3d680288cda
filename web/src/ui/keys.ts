import { useEffect, useRef } from 'react'

/** Calls a function for a key, unless a person is writing into something or a dialog stands in front. */
export function useKeys(keys: Record<string, (e: KeyboardEvent) => void>): void {
  const current = useRef(keys)
  useEffect(() => {
    current.current = keys
  })
  useEffect(() => {
    const listen = (e: KeyboardEvent): void => {
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey) return
      const target = e.target as HTMLElement | null
      const writing = target?.closest('input, textarea, select, [contenteditable], [role=listbox], [role=menu]')
      // Nobody writes into a switch; Escape closes what stands around it.
      const switched = e.key === 'Escape' && target?.matches('input[type=radio], input[type=checkbox]')
      if ((writing && !switched) || document.querySelector('[role=dialog][aria-modal=true]')) return
      const run = current.current[e.key]
      if (!run) return
      // Enter on a button presses that button.
      if (e.key === 'Enter' && target?.closest('button, a')) return
      e.preventDefault()
      run(e)
    }
    window.addEventListener('keydown', listen)
    return () => window.removeEventListener('keydown', listen)
  }, [])
}
