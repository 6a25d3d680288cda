import classes from './Listing.module.css'

/** A list that fills the page under its head, in a frame. */
export function Listing({ bar, children }: { bar?: React.ReactNode; children: React.ReactNode }) {
  return (
    <section className={classes.listing}>
      {bar && <div className={classes.bar}>{bar}</div>}
      {children}
    </section>
  )
}
