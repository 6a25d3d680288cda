export type Kind = 'files' | 'journald' | 'nats' | 'kafka'

export interface Setting {
  name: string
  title: string
  /** What is written into it. */
  form: 'text' | 'list' | 'secret' | 'switch' | 'choice'
  choices?: string[]
  needed?: boolean
  hint?: string
}

const FROM: Setting = { name: 'from', title: 'Begin at', form: 'choice', choices: ['begin', 'end'], hint: 'What is there already is read too, or only what comes from now on.' }
const TLS: Setting[] = [
  { name: 'tls', title: 'TLS', form: 'switch' },
  { name: 'certificate_authority', title: 'Certificate authority', form: 'text', hint: 'A PEM file on the server, where the usual ones do not do.' },
]
const SIGN_IN: Setting[] = [
  { name: 'username', title: 'User', form: 'text' },
  { name: 'password', title: 'Password', form: 'secret' },
]

/** What can be set for each kind of input, in the order of the form. */
export const SETTINGS: Record<Kind, Setting[]> = {
  files: [
    { name: 'paths', title: 'Files', form: 'list', needed: true, hint: 'Paths on the server, * and ** allowed, below the folders that belfry.toml names under [inputs].' },
    FROM,
    { name: 'record_start', title: 'A record begins with', form: 'text', hint: 'A pattern, for records of several lines.' },
  ],
  journald: [{ name: 'units', title: 'Units', form: 'list', hint: 'Empty: all.' }, { name: 'directory', title: 'Folder of the journal', form: 'text' }, FROM],
  nats: [
    { name: 'servers', title: 'Servers', form: 'list', needed: true },
    { name: 'subjects', title: 'Subjects', form: 'list', needed: true },
    { name: 'queue', title: 'Queue group', form: 'text' },
    { name: 'stream', title: 'Stream', form: 'text', hint: 'With JetStream nothing is lost while Belfry is away.' },
    { name: 'durable', title: 'Durable consumer', form: 'text' },
    ...TLS,
    { name: 'token', title: 'Token', form: 'secret' },
    ...SIGN_IN,
  ],
  kafka: [{ name: 'brokers', title: 'Brokers', form: 'list', needed: true }, { name: 'topics', title: 'Topics', form: 'list', needed: true }, FROM, ...TLS, ...SIGN_IN],
}

/** What a form holds becomes settings; what is empty is left out. */
export function settingsOf(kind: Kind, form: Record<string, string>): Record<string, unknown> {
  const given = SETTINGS[kind].map(({ name, form: how }): [string, unknown] => {
    const text = (form[name] ?? '').trim()
    if (how === 'list') return [name, text.split(/[\n,]+/).map((t) => t.trim()).filter(Boolean)]
    return [name, how === 'switch' ? text === 'true' : text]
  })
  return Object.fromEntries(given.filter(([, value]) => value !== '' && value !== false && !(Array.isArray(value) && value.length === 0)))
}

/** Settings as a form holds them. */
export function formOf(settings: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, Array.isArray(value) ? value.join('\n') : value === null || value === undefined ? '' : String(value)]))
}
