import classes from './messages.module.css'

interface Text {
  type?: string
  text?: string
}

interface Block {
  type?: string
  text?: Text
  fields?: Text[]
  elements?: Array<Text & { text?: unknown; url?: string }>
}

interface Message {
  text?: string
  blocks?: Block[]
  attachments?: Array<{ color?: string; blocks?: Block[]; text?: string; fallback?: string }>
}

/** About how a message looks in Slack. */
export function SlackMessage({ message }: { message: unknown }) {
  const m = (message ?? {}) as Message
  const attachments = m.attachments ?? []
  return (
    <div className={classes.slack}>
      <div className={classes.avatar} aria-hidden="true">
        B
      </div>
      <div className="grow">
        <div>
          <strong>Belfry</strong> <span className={classes.app}>APP</span>
        </div>
        {m.blocks ? <Blocks blocks={m.blocks} /> : <p>{mrkdwn(m.text ?? '')}</p>}
        {attachments.map((a, i) => (
          <div key={i} className={classes.attachment} style={{ borderColor: /^#[0-9a-f]{3,6}$/i.test(a.color ?? '') ? a.color : undefined }}>
            {a.blocks ? <Blocks blocks={a.blocks} /> : <p>{mrkdwn(a.text ?? a.fallback ?? '')}</p>}
          </div>
        ))}
      </div>
    </div>
  )
}

function Blocks({ blocks }: { blocks: Block[] }) {
  return blocks.map((b, i) => {
    if (b.type === 'header') return <h4 key={i}>{b.text?.text}</h4>
    if (b.type === 'divider') return <hr key={i} />
    if (b.type === 'actions')
      return (
        <div key={i} className="row wrap">
          {(b.elements ?? []).map((e, n) => (
            <span key={n} className={classes.button}>
              {textOf(e.text)}
            </span>
          ))}
        </div>
      )
    if (b.type === 'context')
      return (
        <p key={i} className={classes.context}>
          {(b.elements ?? []).map((e, n) => (
            <span key={n}>{mrkdwn(textOf(e.text))} </span>
          ))}
        </p>
      )
    return (
      <div key={i}>
        {b.text?.text && <p>{mrkdwn(b.text.text)}</p>}
        {b.fields && (
          <div className={classes.fields}>
            {b.fields.map((f, n) => (
              <p key={n}>{mrkdwn(f.text ?? '')}</p>
            ))}
          </div>
        )}
      </div>
    )
  })
}

function textOf(text: unknown): string {
  if (typeof text === 'string') return text
  return typeof text === 'object' && text !== null && 'text' in text ? String(text.text) : ''
}

/** Slack's own markup: *bold*, _italic_, `code`, <address|words>, and its three escapes. */
function mrkdwn(text: string): React.ReactNode[] {
  const plain = (s: string): string => s.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&')
  return text.split(/(\*[^*\n]+\*|`[^`\n]+`|<[^>\n]+>)/g).map((part, i) => {
    if (/^\*.+\*$/.test(part)) return <strong key={i}>{plain(part.slice(1, -1))}</strong>
    if (/^`.+`$/.test(part)) return <code key={i}>{plain(part.slice(1, -1))}</code>
    if (/^<.+>$/.test(part)) {
      const [address, words] = part.slice(1, -1).split('|')
      return (
        <span key={i} className={classes.link}>
          {plain(words ?? address ?? '')}
        </span>
      )
    }
    return plain(part)
  })
}
