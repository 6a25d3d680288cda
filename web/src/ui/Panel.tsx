import classes from './Panel.module.css'

/** A part of a page with a title. */
export function Panel({ title, aside, children, flush }: { title?: React.ReactNode; aside?: React.ReactNode; children: React.ReactNode; flush?: boolean }) {
  return (
    <section className={classes.panel}>
      {(title || aside) && (
        <header className={classes.head}>
          <h2>{title}</h2>
          {aside && <div className={classes.aside}>{aside}</div>}
        </header>
      )}
      <div className={flush ? undefined : classes.body}>{children}</div>
    </section>
  )
}

/** Name and value in two columns. */
export function Facts({ children }: { children: React.ReactNode }) {
  return <dl className={classes.facts}>{children}</dl>
}

export function Fact({ name, children }: { name: React.ReactNode; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

/** A short word on a ground: a state or a kind. */
export function Chip({ children, tone = 'plain', title }: { children: React.ReactNode; tone?: 'plain' | 'ok' | 'warn' | 'bad' | 'accent'; title?: string }) {
  return (
    <span className={classes.chip} data-tone={tone} title={title}>
      {children}
    </span>
  )
}

/** A dot and a word. */
export function StateDot({ tone, children }: { tone: 'ok' | 'warn' | 'bad' | 'idle' | 'busy'; children: React.ReactNode }) {
  return (
    <span className={classes.state}>
      <i data-tone={tone} aria-hidden="true" />
      {children}
    </span>
  )
}
