import { useMemo, useState } from 'react'
import type { Question } from '@/api/queries'
import { span, type Range, type Span } from '@/lib/range'
import { useAddress } from '@/ui/address'

export interface Asked {
  filter: string
  range: Range
  /** Both ends as moments, fixed until the question changes or is asked again. */
  span: Span
  question: Question
  again: () => void
}

/** The filter and the range that the address holds. */
export function useQuestion(standard: Range): Asked {
  const [address] = useAddress()
  const [turn, setTurn] = useState(0)
  const filter = address.filter ?? ''
  const from = address.from ?? standard.from
  const to = address.to ?? standard.to
  const now = useAskedAt(`${filter}\n${from}\n${to}\n${turn}`)
  return useMemo(() => {
    const range = { from, to }
    const both = span(range, now)
    const question = { filter, from: new Date(both.from).toISOString(), to: new Date(both.to).toISOString() }
    return { filter, range, span: both, question, again: () => setTurn((t) => t + 1) }
  }, [filter, from, to, now])
}

/** The moment a question was asked: the same until the question changes. */
export function useAskedAt(question: string): number {
  // The question is what makes the moment a new one.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  return useMemo(() => Date.now(), [question])
}
