import { useDocumentTitle } from '@mantine/hooks'
import classes from './Page.module.css'

/** A page: its title (also of the window), what can be done, and its content. With `fill` the content scrolls by itself. */
export function Page({ title, lead, actions, fill, children }: { title: string; lead?: React.ReactNode; actions?: React.ReactNode; fill?: boolean; children: React.ReactNode }) {
  useDocumentTitle(`${title} · Belfry`)
  return (
    <div className={classes.page} data-fill={fill || undefined}>
      <header className={classes.head}>
        <div className="grow">
          <h1>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  )
}
