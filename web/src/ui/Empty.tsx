import { Command } from './Copy'
import classes from './State.module.css'

/** Why there is nothing here, and what to do about it. */
export function Empty({ title, children, command, action }: { title: string; children?: React.ReactNode; command?: string; action?: React.ReactNode }) {
  return (
    <div className={classes.empty}>
      <h3>{title}</h3>
      {children && <p>{children}</p>}
      {command && <Command>{command}</Command>}
      {action}
    </div>
  )
}
