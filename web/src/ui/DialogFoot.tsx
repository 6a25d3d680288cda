import { Button } from '@mantine/core'
import { Failure } from './Failure'

interface Props {
  /** What went wrong; null for nothing. */
  failure?: unknown
  close: () => void
  /** What the button says that sends the form. */
  action: string
  ready?: boolean
  busy?: boolean
  color?: 'red'
}

/** The end of a form in a dialog: what went wrong, the way out, and the button that sends it. */
export function DialogFoot({ failure = null, close, action, ready = true, busy = false, color }: Props) {
  return (
    <>
      {failure !== null && <Failure of={failure} />}
      <div className="row" style={{ justifyContent: 'flex-end' }}>
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button type="submit" color={color} disabled={!ready} loading={busy}>
          {action}
        </Button>
      </div>
    </>
  )
}
