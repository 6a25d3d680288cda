// How a program of a mapping is coloured. Colours come from theme.ts through classes.
import { HighlightStyle, StreamLanguage, syntaxHighlighting, type StreamParser } from '@codemirror/language'
import { tags } from '@lezer/highlight'

const WORDS = new Set(['if', 'else', 'abort', 'null', 'true', 'false'])

const parser: StreamParser<{ quote: string | null }> = {
  name: 'mapping',
  startState: () => ({ quote: null }),
  token(stream, state) {
    if (state.quote !== null) {
      while (!stream.eol()) {
        const c = stream.next()
        // In a pattern, r'…', a backslash belongs to the pattern.
        if (c === '\\' && state.quote === '"') stream.next()
        else if (c === state.quote) {
          state.quote = null
          break
        }
      }
      return 'string'
    }
    if (stream.eatSpace()) return null
    if (stream.match(/#.*/)) return 'comment'
    if (stream.match(/[rs]?'/)) {
      state.quote = "'"
      return 'string'
    }
    if (stream.match('"')) {
      state.quote = '"'
      return 'string'
    }
    if (stream.match(/%[a-z_]+/)) return 'atom'
    if (stream.match(/\.@?[A-Za-z_][\w@]*/) || stream.match(/\.(?=")/)) return 'propertyName'
    if (stream.match(/\d+(\.\d+)?/)) return 'number'
    const word = stream.match(/[A-Za-z_]\w*/)
    if (word && typeof word !== 'boolean') {
      if (WORDS.has(word[0])) return 'keyword'
      return stream.peek() === '(' || stream.peek() === '!' ? 'function' : 'variableName'
    }
    stream.next()
    return null
  },
  tokenTable: { function: tags.function(tags.variableName) },
  languageData: { commentTokens: { line: '#' }, closeBrackets: { brackets: ['(', '[', '{', '"'] } },
}

export const language = [
  StreamLanguage.define(parser),
  syntaxHighlighting(
    HighlightStyle.define([
      { tag: tags.comment, color: 'var(--dim)', fontStyle: 'italic' },
      { tag: tags.string, color: 'var(--ok)' },
      { tag: tags.number, color: 'var(--warn)' },
      { tag: tags.atom, color: 'var(--warn)' },
      { tag: tags.keyword, color: 'var(--bad)', fontWeight: '600' },
      { tag: tags.propertyName, color: 'var(--code)' },
      { tag: tags.function(tags.variableName), color: 'var(--accent)' },
    ]),
  ),
]
