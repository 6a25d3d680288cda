import classes from './Json.module.css'

/** JSON with coloured names and values, as text: nothing in it can become markup. */
export function Json({ value }: { value: unknown }) {
  return <pre className={classes.json}>{paint(typeof value === 'string' ? value : JSON.stringify(value, null, 2))}</pre>
}

const PART = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

function paint(text: string): React.ReactNode[] {
  const parts: React.ReactNode[] = []
  let at = 0
  for (const found of text.matchAll(PART)) {
    const [whole, quoted, colon, word] = found
    parts.push(text.slice(at, found.index))
    const kind = quoted ? (colon ? 'name' : 'string') : word ? 'word' : 'number'
    parts.push(
      <span key={found.index} className={classes[kind]}>
        {quoted ?? whole}
      </span>,
      colon ?? '',
    )
    at = found.index + whole.length
  }
  parts.push(text.slice(at))
  return parts
}
