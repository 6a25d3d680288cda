import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab, toggleComment } from '@codemirror/commands'
import { bracketMatching, indentUnit } from '@codemirror/language'
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { EditorState } from '@codemirror/state'
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view'
import { useEffect, useRef } from 'react'
import type { CompileError, MappingReference } from '@/api/types'
import classes from './ProgramEditor.module.css'
import { completionSource } from './completions'
import { language } from './language'

interface Props {
  value: string
  onChange: (value: string) => void
  errors: readonly CompileError[]
  reference: MappingReference | undefined
  /** Paths of the record that is looked at, for completion. */
  native: readonly string[]
  onSave: () => void
  onRun: () => void
  readOnly?: boolean
  /** Where the cursor is to be put, line and column from 1; a new object puts it there again. */
  goTo?: { line: number; column: number } | null
}

/** The program of a mapping: coloured, completed, with what is wrong marked where it is. */
export default function ProgramEditor(props: Props) {
  const place = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const current = useRef(props)
  useEffect(() => {
    current.current = props
  })

  useEffect(() => {
    if (!place.current) return
    const run = (what: 'onSave' | 'onRun') => (): boolean => {
      current.current[what]()
      return true
    }
    const made = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: current.current.value,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          bracketMatching(),
          closeBrackets(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          highlightSelectionMatches(),
          search({ top: true }),
          indentUnit.of('  '),
          autocompletion({ override: [completionSource(() => current.current)], icons: false }),
          language,
          EditorState.readOnly.of(current.current.readOnly ?? false),
          EditorView.contentAttributes.of({ 'aria-label': 'Program', spellcheck: 'false', tabindex: '0' }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) current.current.onChange(update.state.doc.toString())
          }),
          keymap.of([
            { key: 'Mod-s', run: run('onSave'), preventDefault: true },
            { key: 'Mod-Enter', run: run('onRun') },
            { key: 'Mod-/', run: toggleComment },
            // Tab indents; Escape and then Tab leaves the editor, so that nobody is caught in it.
            indentWithTab,
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...searchKeymap,
            ...lintKeymap,
            ...historyKeymap,
            ...defaultKeymap,
          ]),
        ],
      }),
    })
    view.current = made
    return () => {
      view.current = null
      made.destroy()
    }
  }, [])

  // What was changed from outside: undone, restored, proposed anew.
  useEffect(() => {
    const editor = view.current
    if (editor && editor.state.doc.toString() !== props.value) editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.value } })
  }, [props.value])

  useEffect(() => {
    const editor = view.current
    if (!editor) return
    editor.dispatch(setDiagnostics(editor.state, props.errors.map((e) => diagnostic(editor.state, e))))
  }, [props.errors])

  useEffect(() => {
    const editor = view.current
    if (!editor || !props.goTo) return
    const at = offset(editor.state, props.goTo.line, props.goTo.column)
    editor.dispatch({ selection: { anchor: at }, scrollIntoView: true })
    editor.focus()
  }, [props.goTo])

  return <div className={classes.editor} ref={place} />
}

function offset(state: EditorState, line: number, column: number): number {
  const found = state.doc.line(Math.min(Math.max(1, line), state.doc.lines))
  // Columns count characters, the editor counts UTF-16 units.
  const units = [...found.text].slice(0, Math.max(0, column - 1)).join('').length
  return Math.min(found.from + units, found.to)
}

function diagnostic(state: EditorState, error: CompileError): Diagnostic {
  const from = offset(state, error.line, error.column)
  const rest = state.doc.lineAt(from).text.slice(from - state.doc.lineAt(from).from)
  const word = /^[\w.@]+|^\S/.exec(rest)?.[0].length ?? 0
  return { from, to: from + word, severity: 'error', message: error.help ? `${error.message}\n${error.help}` : error.message }
}
