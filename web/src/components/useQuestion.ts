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
  return useMemo(() => {
    const range = { from, to }
    // The turn is no part of the answer, it only asks for a new now.
    const both = span(range, Date.now() + turn * 0)
    const question = { filter, from: new Date(both.from).toISOString(), to: new Date(both.to).toISOString() }
    return { filter, range, span: both, question, again: () => setTurn((t) => t + 1) }
  }, [filter, from, to, turn])
}
