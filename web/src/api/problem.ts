/** A refusal of the server as application/problem+json gives it, or a failure to reach it. */
export class Problem extends Error {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly errors: Array<{ pointer: string; detail: string }>
  readonly requestId: string | null

  constructor(fields: { status: number; title: string; detail?: string; errors?: Array<{ pointer: string; detail: string }>; requestId?: string | null }) {
    super(fields.detail ? `${fields.title}: ${fields.detail}` : fields.title)
    this.name = 'Problem'
    this.status = fields.status
    this.title = fields.title
    this.detail = fields.detail ?? ''
    this.errors = fields.errors ?? []
    this.requestId = fields.requestId ?? null
  }
}

/** The one place where a failure becomes words: what failed, and what to do. */
export function inWords(failure: unknown): { title: string; detail: string; todo: string; requestId: string | null } {
  if (!(failure instanceof Problem)) {
    const detail = failure instanceof Error ? failure.message : String(failure)
    return { title: 'The console failed', detail, todo: 'Reload the page. Nothing on the server was changed by this.', requestId: null }
  }
  const detail = [failure.detail, ...failure.errors.map((e) => e.detail)].filter((text, i, all) => text !== '' && all.indexOf(text) === i).join(' · ')
  return { title: failure.title, detail, todo: advice(failure.status), requestId: failure.requestId }
}

function advice(status: number): string {
  if (status === 0) return 'Check that the server runs and that you can reach it. What was written before is kept.'
  if (status === 401) return 'Sign in again.'
  if (status === 403) return 'Ask an administrator for the privilege, or for the answer.'
  if (status === 404) return 'It may have been removed since the page was loaded.'
  if (status === 409) return 'Somebody else may have changed it. Reload and try again.'
  if (status === 429 || status === 503) return 'The server is busy. Try again in a moment.'
  if (status >= 500) return 'Nothing was changed. The server has logged the cause under the request id.'
  return ''
}
