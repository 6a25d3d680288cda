import { Modal, TextInput } from '@mantine/core'
import { useState } from 'react'
import { DialogFoot } from './DialogFoot'
import { failed } from './toast'

export interface Question {
  title: string
  text: React.ReactNode
  /** What the button that does it says. */
  action: string
  /** The name that has to be typed, for what can't be undone. */
  name?: string
  /** Asks for a reason that goes into the trail. */
  reason?: boolean
  run: (reason: string) => Promise<unknown>
}

/** Asks before something that can't be undone. Usage: `const [ask, question] = useAsk()`, then `ask({...})` and `{question}`. */
export function useAsk(): [(question: Question) => void, React.ReactNode] {
  const [question, setQuestion] = useState<Question | null>(null)
  return [setQuestion, question && <Ask key={question.title} question={question} close={() => setQuestion(null)} />]
}

function Ask({ question, close }: { question: Question; close: () => void }) {
  const [typed, setTyped] = useState('')
  const [reason, setReason] = useState('')
  const [busy, setBusy] = useState(false)
  const ready = (question.name === undefined || typed === question.name) && (!question.reason || reason.trim() !== '')
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    if (!ready || busy) return
    setBusy(true)
    try {
      await question.run(reason.trim())
      close()
    } catch (failure) {
      failed(failure)
      setBusy(false)
    }
  }
  return (
    <Modal opened onClose={close} title={<strong>{question.title}</strong>}>
      <form onSubmit={submit} className="stack">
        <div>{question.text}</div>
        {question.reason && (
          <TextInput label="Reason" description="Goes into the trail with your name." value={reason} onChange={(e) => setReason(e.currentTarget.value)} data-autofocus required />
        )}
        {question.name !== undefined && (
          <TextInput
            label={
              <>
                Type <code>{question.name}</code> to go on
              </>
            }
            value={typed}
            onChange={(e) => setTyped(e.currentTarget.value)}
            autoComplete="off"
            data-autofocus={!question.reason || undefined}
          />
        )}
        <DialogFoot close={close} action={question.action} ready={ready} busy={busy} color="red" />
      </form>
    </Modal>
  )
}
