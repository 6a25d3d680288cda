import classes from './messages.module.css'

interface Part {
  type?: string
  text?: string
  weight?: string
  size?: string
  color?: string
  isSubtle?: boolean
  items?: Part[]
  columns?: Part[]
  facts?: Array<{ title?: string; value?: string }>
  actions?: Action[]
}

interface Action {
  type?: string
  title?: string
}

/** About how an Adaptive Card looks in Teams. */
export function TeamsCard({ message }: { message: unknown }) {
  const card = cardOf(message)
  if (!card) return <p className="dim">This message holds no card.</p>
  return (
    <div className={classes.teams}>
      <Parts parts={card.body ?? []} />
      <Actions actions={card.actions ?? []} />
    </div>
  )
}

function cardOf(message: unknown): { body?: Part[]; actions?: Action[] } | null {
  const m = message as { type?: string; attachments?: Array<{ content?: object }> } | null
  if (!m || typeof m !== 'object') return null
  return m.type === 'AdaptiveCard' ? (m as object) : (m.attachments?.[0]?.content ?? null)
}

function Parts({ parts }: { parts: Part[] }) {
  return parts.map((p, i) => {
    if (p.type === 'FactSet')
      return (
        <dl key={i} className={classes.facts}>
          {(p.facts ?? []).map((f, n) => (
            <div key={n}>
              <dt>{f.title}</dt>
              <dd>{f.value}</dd>
            </div>
          ))}
        </dl>
      )
    if (p.type === 'ColumnSet')
      return (
        <div key={i} className="row">
          {(p.columns ?? []).map((c, n) => (
            <div key={n}>
              <Parts parts={c.items ?? []} />
            </div>
          ))}
        </div>
      )
    if (p.type === 'ActionSet') return <Actions key={i} actions={p.actions ?? []} />
    if (p.items) return <div key={i}>{<Parts parts={p.items} />}</div>
    return (
      <p key={i} data-large={/large|medium/i.test(p.size ?? '') || undefined} data-bold={/bolder/i.test(p.weight ?? '') || undefined} data-subtle={p.isSubtle || undefined}>
        {p.text?.replace(/\\([\\`*_{}[\]()#+\-.!])/g, '$1')}
      </p>
    )
  })
}

function Actions({ actions }: { actions: Action[] }) {
  if (actions.length === 0) return null
  return (
    <div className="row wrap">
      {actions.map((a, i) => (
        <span key={i} className={classes.button}>
          {a.title}
        </span>
      ))}
    </div>
  )
}
