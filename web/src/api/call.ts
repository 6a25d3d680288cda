import { Problem } from './problem'

type Query = Record<string, string | number | boolean | null | undefined>

/** The address of a call, with the parameters that are given. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, v]) => v !== undefined && v !== null && v !== '')
  const search = new URLSearchParams(given.map(([k, v]) => [k, String(v)])).toString()
  return `/api/v1${path}${search ? `?${search}` : ''}`
}

async function call<T>(method: string, path: string, options: { query?: Query; body?: unknown; signal?: AbortSignal }): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(address(path, options.query), {
      method,
      credentials: 'same-origin',
      headers: options.body === undefined ? {} : { 'content-type': 'application/json' },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
    })
  } catch (cause) {
    if (options.signal?.aborted) throw cause
    throw new Problem({ status: 0, title: 'The server can\'t be reached', detail: '' })
  }
  const text = await answer.text()
  if (!answer.ok) throw problemOf(answer, text)
  return (text === '' ? null : JSON.parse(text)) as T
}

function problemOf(answer: Response, text: string): Problem {
  const requestId = answer.headers.get('x-request-id')
  try {
    const body = JSON.parse(text) as { title?: string; detail?: string; errors?: Array<{ pointer: string; detail: string }>; request_id?: string }
    return new Problem({
      status: answer.status,
      title: body.title ?? `The server answered ${answer.status}`,
      detail: body.detail,
      errors: body.errors,
      requestId: body.request_id ?? requestId,
    })
  } catch {
    return new Problem({ status: answer.status, title: `The server answered ${answer.status}`, detail: text.slice(0, 200), requestId })
  }
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> => call<T>('GET', path, { query, signal })
export const post = <T>(path: string, body: unknown = {}, query?: Query): Promise<T> => call<T>('POST', path, { body, query })
export const put = <T>(path: string, body: unknown): Promise<T> => call<T>('PUT', path, { body })
export const remove = <T>(path: string): Promise<T> => call<T>('DELETE', path, {})
