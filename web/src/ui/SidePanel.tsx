import { ActionIcon, Tooltip } from '@mantine/core'
import { X } from 'lucide-react'
import classes from './SidePanel.module.css'
import { useKeys } from './keys'

/** What stands beside a list and tells more about one of its rows. On a narrow screen it becomes the page. */
export function SidePanel({ label, title, actions, onClose, children }: { label: string; title: React.ReactNode; actions?: React.ReactNode; onClose: () => void; children: React.ReactNode }) {
  useKeys({ Escape: onClose })
  return (
    <aside className={classes.panel} aria-label={label}>
      <header className={classes.head}>
        <h2 className="grow">{title}</h2>
        {actions}
        <Tooltip label="Close (Esc)">
          <ActionIcon aria-label="Close" onClick={onClose}>
            <X size={16} />
          </ActionIcon>
        </Tooltip>
      </header>
      <div className={classes.body}>{children}</div>
    </aside>
  )
}
