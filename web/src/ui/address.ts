import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'

export type Address = Record<string, string | undefined>

/** What the address holds after the `?`, and a function that changes it: every view is a link. Empty values leave the address. */
export function useAddress(): [Address, (change: Address, how?: { push?: boolean }) => void] {
  const address = useSearch({ strict: false }) as Address
  const navigate = useNavigate()
  const set = useCallback(
    (change: Address, how: { push?: boolean } = {}) => {
      void navigate({
        to: '.',
        search: ((before: Address) => clean({ ...before, ...change })) as never,
        replace: !how.push,
        resetScroll: false,
      })
    },
    [navigate],
  )
  return [address, set]
}

function clean(address: Address): Address {
  return Object.fromEntries(Object.entries(address).filter(([, v]) => v !== undefined && v !== ''))
}

/** Plain `?a=b&c=d`, so that people can read, write and send the links. */
export function parseAddress(search: string): Address {
  return Object.fromEntries(new URLSearchParams(search))
}

export function writeAddress(address: Record<string, unknown>): string {
  const given = Object.entries(address).filter(([, v]) => v !== undefined && v !== null && v !== '')
  const search = new URLSearchParams(given.map(([k, v]) => [k, String(v)])).toString()
  return search ? `?${search}` : ''
}
