import createClient from 'openapi-fetch'
import { Problem } from './problem'
import type { components, paths } from './schema'

/** The server's API, typed by its own description: `answer(http.GET('/api/v1/trail'))`. */
export const http = createClient<paths>({ credentials: 'same-origin' })

/** What the server answered; a refusal, and a failure to reach it, is thrown as a `Problem`. */
export async function answer<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<NonNullable<T>> {
  let got: { data?: T; error?: unknown; response: Response }
  try {
    got = await call
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    throw new Problem({ status: 0, title: 'The server can\'t be reached' })
  }
  if (!got.response.ok) throw problemOf(got.response, got.error)
  return got.data as NonNullable<T>
}

function problemOf(response: Response, error: unknown): Problem {
  const body = (typeof error === 'object' && error !== null ? error : {}) as Partial<components['schemas']['ProblemBody']>
  return new Problem({
    status: response.status,
    title: body.title ?? `The server answered ${response.status}`,
    detail: body.detail ?? (typeof error === 'string' ? error.slice(0, 200) : ''),
    errors: body.errors,
    requestId: body.request_id ?? response.headers.get('x-request-id'),
  })
}

/** The address of a call that the browser itself makes: a download, a stream. */
export function address(path: string, query: Record<string, string> = {}): string {
  const given = Object.entries(query).filter(([, v]) => v !== '')
  const search = new URLSearchParams(given).toString()
  return `/api/v1${path}${search ? `?${search}` : ''}`
}
