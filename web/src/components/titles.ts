import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import * as ask from '@/api/queries'
import { words } from '@/lib/format'

/** What an event type is called: the title of the catalogue, else its own words. */
export function useTitles(): (type: string) => string {
  const { data } = useQuery(ask.catalogue)
  return useMemo(() => {
    const known = new Map((data ?? []).map((t) => [t.id, t.title]))
    return (type) => known.get(type) ?? words(type)
  }, [data])
}
