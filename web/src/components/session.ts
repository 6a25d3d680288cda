import { useQuery } from '@tanstack/react-query'
import * as ask from '@/api/queries'
import type { Me, Privilege } from '@/api/types'

/** Who is signed in. Pages inside the frame are shown only to somebody who is. */
export function useMe(): Me | null {
  return useQuery(ask.me).data ?? null
}

/** Whether the person may do something. The server decides; this only keeps away what it would refuse. */
export function useMay(): (privilege: Privilege) => boolean {
  const me = useMe()
  return (privilege) => me?.privileges.includes(privilege) ?? false
}
