import type { Completion, CompletionContext, CompletionResult, CompletionSource } from '@codemirror/autocomplete'
import type { EditorView } from '@codemirror/view'
import type { MappingReference } from '@/api/types'

/** A name in a path of a program: as it is, or in quotes. */
export function segment(key: string): string {
  return /^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key)
}

/** The dotted paths of a record's own fields, `.native.actor.mail`; of a list the first element. */
export function nativePaths(value: unknown, path = '.native', max = 200): string[] {
  if (max <= 0) return []
  if (Array.isArray(value)) return value.length > 0 ? nativePaths(value[0], `${path}[0]`, max) : []
  if (value === null || typeof value !== 'object') return path === '.native' ? [] : [path]
  const found: string[] = []
  for (const [key, inner] of Object.entries(value)) {
    if (found.length >= max) break
    found.push(...nativePaths(inner, `${path}.${segment(key)}`, max - found.length))
  }
  return found
}

/** Puts a call where the name was begun, with the cursor between its brackets. */
function call(view: EditorView, completion: Completion, from: number, to: number): void {
  view.dispatch({ changes: { from, to, insert: `${completion.label}()` }, selection: { anchor: from + completion.label.length + 1 } })
}

/** What is offered in front of the cursor: at the start of a line fields of the event, elsewhere what the record has, and functions. */
export function offers(before: string, reference: MappingReference | undefined, native: readonly string[]): { from: number; options: Completion[] } | null {
  const path = /\.[\w.@"[\]-]*$/.exec(before)
  if (path) {
    const assigned = before.slice(0, path.index).trim() === ''
    const fields = (reference?.fields ?? []).map((f): Completion => ({ label: `.${f.name}`, detail: f.kind, info: f.title, type: 'property', boost: assigned ? 1 : -1 }))
    const own = native.map((label): Completion => ({ label, detail: 'of the record', type: 'variable', boost: assigned ? -1 : 1 }))
    const rest = ['.native', '.syslog', '.hec', '.decoder'].map((label): Completion => ({ label, type: 'variable', boost: -2 }))
    return { from: path.index, options: [...fields, ...own, ...rest] }
  }
  const decoder = /^#\s*decoder:.*?(\w*)$/.exec(before)
  if (decoder) return { from: before.length - (decoder[1]?.length ?? 0), options: (reference?.decoders ?? []).map((label) => ({ label, type: 'keyword' })) }
  if (before.trimStart().startsWith('#')) return null
  const word = /[a-z_]+$/.exec(before)
  if (!word) return null
  const functions = (reference?.functions ?? []).map((f): Completion => ({ label: f.name, apply: call, detail: f.signature.slice(f.name.length), info: f.usage, type: 'function' }))
  const words = ['if', 'else', 'abort', 'null', 'true', 'false'].map((label): Completion => ({ label, type: 'keyword', boost: -1 }))
  return { from: word.index, options: [...functions, ...words] }
}

export function completionSource(known: () => { reference?: MappingReference; native: readonly string[] }): CompletionSource {
  return (context: CompletionContext): CompletionResult | null => {
    const line = context.state.doc.lineAt(context.pos)
    const found = offers(context.state.sliceDoc(line.from, context.pos), known().reference, known().native)
    if (!found) return null
    return { from: line.from + found.from, options: found.options, validFor: /^[\w.@"[\]-]*$/ }
  }
}
