import { changes, type EventRecord } from '@/lib/record'
import { Empty } from '@/ui/Empty'
import classes from './tabs.module.css'

/** Old and new values, side by side. */
export function ChangesTab({ event }: { event: EventRecord }) {
  const list = changes(event)
  if (list.length === 0) return <Empty title="Nothing was changed by this event" />
  return (
    <table className={classes.changes}>
      <thead>
        <tr>
          <th>Field</th>
          <th>Before</th>
          <th>After</th>
        </tr>
      </thead>
      <tbody>
        {list.map((c) => (
          <tr key={c.field}>
            <th scope="row">{c.field}</th>
            <td>{c.old === '' ? <span className="dim">—</span> : <del>{c.old}</del>}</td>
            <td>{c.new === '' ? <span className="dim">—</span> : <ins>{c.new}</ins>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
