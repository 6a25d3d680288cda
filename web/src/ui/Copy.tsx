import { ActionIcon, Tooltip } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { Check, Copy as CopyIcon } from 'lucide-react'
import classes from './Copy.module.css'

/** An id, address or hash: in monospace, a click copies it. */
export function CopyText({ value, shown, label }: { value: string; shown?: string; label?: string }) {
  const clipboard = useClipboard({ timeout: 1200 })
  return (
    <button
      type="button"
      className={`plain ${classes.text}`}
      title={`${value}\nClick to copy`}
      aria-label={`Copy ${label ?? value}`}
      onClick={(e) => {
        e.stopPropagation()
        clipboard.copy(value)
      }}
    >
      {clipboard.copied ? <span className={classes.done}>copied</span> : (shown ?? value)}
    </button>
  )
}

export function CopyButton({ value, label = 'Copy' }: { value: string; label?: string }) {
  const clipboard = useClipboard({ timeout: 1200 })
  return (
    <Tooltip label={clipboard.copied ? 'Copied' : label}>
      <ActionIcon aria-label={label} onClick={() => clipboard.copy(value)}>
        {clipboard.copied ? <Check size={15} /> : <CopyIcon size={15} />}
      </ActionIcon>
    </Tooltip>
  )
}

/** A command, ready to be copied into a terminal. */
export function Command({ children }: { children: string }) {
  return (
    <div className={classes.command}>
      <pre>{children}</pre>
      <CopyButton value={children} label="Copy command" />
    </div>
  )
}
