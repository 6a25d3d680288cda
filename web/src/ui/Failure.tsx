import { Button } from '@mantine/core'
import { CircleAlert } from 'lucide-react'
import { inWords } from '@/api/problem'
import { CopyText } from './Copy'
import classes from './State.module.css'

/** What failed, what to do, and the id under which the server knows it. */
export function Failure({ of, again }: { of: unknown; again?: () => void }) {
  const words = inWords(of)
  return (
    <div className={classes.failure} role="alert">
      <CircleAlert size={18} className={classes.sign} />
      <div className="grow">
        <strong>{words.title}</strong>
        {words.detail && <div>{words.detail}</div>}
        {words.todo && <div className="dim">{words.todo}</div>}
        {words.requestId && (
          <div className="dim small">
            Request <CopyText value={words.requestId} label="request id" />
          </div>
        )}
      </div>
      {again && (
        <Button variant="default" onClick={again}>
          Try again
        </Button>
      )}
    </div>
  )
}
