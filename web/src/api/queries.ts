import { infiniteQueryOptions, queryOptions, type QueryKey } from '@tanstack/react-query'
import { get } from './call'
import { Problem } from './problem'
import type * as T from './types'

/** A question to the store: the filter and both ends of the range as moments. */
export interface Question {
  filter: string
  from?: string
  to?: string
}

// Who asks, and the trail under everything.

export const me = queryOptions({
  queryKey: ['me'],
  queryFn: async ({ signal }): Promise<T.Me | null> => {
    try {
      return await get<T.Me>('/session', undefined, signal)
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 401) return null
      throw failure
    }
  },
  staleTime: 60_000,
})

export const trail = queryOptions({
  queryKey: ['trail'],
  queryFn: ({ signal }) => get<T.Trail>('/trail', undefined, signal),
  refetchInterval: (query) => (query.state.data?.self_check.state === 'running' ? 700 : 10_000),
  staleTime: 2_000,
})

// Events

export const events = (question: Question, order: string, limit = 100) =>
  infiniteQueryOptions({
    queryKey: ['events', question, order, limit],
    queryFn: ({ pageParam, signal }) => get<T.Hits>('/events', { ...question, order, limit, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (last: T.Hits) => last.next ?? undefined,
    staleTime: 15_000,
  })

export const latest = (question: Question, limit: number) =>
  queryOptions({
    queryKey: ['events', 'latest', question, limit],
    queryFn: ({ signal }) => get<T.Hits>('/events', { ...question, limit }, signal),
  })

export const event = (position: number) =>
  queryOptions({
    queryKey: ['event', position],
    queryFn: ({ signal }) => get<T.EventDetail>(`/events/${position}`, undefined, signal),
    staleTime: Infinity,
  })

export const proof = (position: number) =>
  queryOptions({
    queryKey: ['event', position, 'proof'],
    queryFn: ({ signal }) => get<T.Proof>(`/events/${position}/proof`, undefined, signal),
  })

export const related = (position: number, by: string) =>
  queryOptions({
    queryKey: ['event', position, 'related', by],
    queryFn: ({ signal }) => get<T.Related>(`/events/${position}/related`, { by }, signal),
    staleTime: 30_000,
  })

export const eventNotifications = (position: number) =>
  queryOptions({
    queryKey: ['event', position, 'notifications'],
    queryFn: ({ signal }) => get<T.EventNotifications>(`/events/${position}/notifications`, undefined, signal),
  })

export const summary = (question: Question, by: string, span: string, top = 20) =>
  queryOptions({
    queryKey: ['summary', question, by, span, top],
    queryFn: ({ signal }) => get<T.Summary>('/events/summary', { ...question, by, span, top }, signal),
    staleTime: 30_000,
  })

export const fields = queryOptions({ queryKey: ['fields'], queryFn: async () => (await get<T.Page<T.Field>>('/fields')).items, staleTime: Infinity })

export const values = (question: Question, field: string, prefix: string) =>
  queryOptions({
    queryKey: ['values', question, field, prefix],
    queryFn: ({ signal }) => get<{ items: T.ValueCount[] }>('/fields/values', { ...question, field, prefix }, signal),
    staleTime: 30_000,
  })

export const catalogue = queryOptions({ queryKey: ['catalogue'], queryFn: async () => (await get<T.Page<T.EventType>>('/catalogue')).items, staleTime: Infinity })

export const savedFilters = queryOptions({ queryKey: ['saved-filters'], queryFn: () => get<T.Page<T.SavedFilter>>('/saved-filters') })

// Alerting

export const rules = queryOptions({ queryKey: ['rules'], queryFn: () => get<T.Page<T.Rule>>('/rules') })

export const rule = (id: string) => queryOptions({ queryKey: ['rules', id], queryFn: () => get<T.Rule>(`/rules/${id}`) })

export const channels = queryOptions({ queryKey: ['channels'], queryFn: () => get<T.Page<T.Channel>>('/channels') })

export const channel = (id: string) => queryOptions({ queryKey: ['channels', id], queryFn: () => get<T.Channel>(`/channels/${id}`) })

export interface DeliveryFilter {
  state?: string
  channel?: string
  rule?: string
}

export const deliveries = (filter: DeliveryFilter, limit?: number) =>
  infiniteQueryOptions({
    queryKey: ['deliveries', filter, limit],
    queryFn: ({ pageParam, signal }) => get<T.Page<T.Delivery>>('/deliveries', { ...filter, limit, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (last: T.Page<T.Delivery>) => last.next ?? undefined,
    refetchInterval: 15_000,
  })

export const delivery = (id: string) =>
  queryOptions({ queryKey: ['deliveries', 'one', id], queryFn: () => get<T.DeliveryDetail>(`/deliveries/${id}`), refetchInterval: 5_000 })

export const inbox = (unread: boolean) =>
  infiniteQueryOptions({
    queryKey: ['inbox', unread],
    queryFn: ({ pageParam, signal }) => get<T.Inbox>('/inbox', { unread: unread || undefined, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (last: T.Inbox) => last.next ?? undefined,
    refetchInterval: 15_000,
  })

// Reports

export const reports = queryOptions({ queryKey: ['reports'], queryFn: () => get<T.Page<T.Definition>>('/reports'), staleTime: 60_000 })

export const runs = queryOptions({
  queryKey: ['runs'],
  queryFn: () => get<T.Page<T.Run>>('/report-runs'),
  refetchInterval: (query) => (query.state.data?.items.some((r) => r.state === 'running') ? 800 : 30_000),
})

export const run = (id: string) =>
  queryOptions({
    queryKey: ['runs', id],
    queryFn: () => get<T.Run>(`/report-runs/${id}`),
    refetchInterval: (query) => (query.state.data?.state === 'running' ? 500 : false),
  })

// Sources and access

export const sources = queryOptions({ queryKey: ['sources'], queryFn: () => get<T.Page<T.Source>>('/sources'), refetchInterval: 15_000 })

export const setAside = (source: string | undefined, state: string) =>
  infiniteQueryOptions({
    queryKey: ['set-aside', source, state],
    queryFn: ({ pageParam, signal }) => get<T.SetAsidePage>('/set-aside', { source, state, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (last: T.SetAsidePage) => last.next ?? undefined,
  })

export const mappings = queryOptions({ queryKey: ['mappings'], queryFn: () => get<T.Page<T.Mapping>>('/mappings') })

export const mapping = (name: string) => queryOptions({ queryKey: ['mappings', name], queryFn: () => get<T.Mapping>(`/mappings/${name}`) })

export const users = queryOptions({ queryKey: ['users'], queryFn: () => get<T.Page<T.User>>('/users') })

export const tokens = queryOptions({ queryKey: ['tokens'], queryFn: () => get<T.Page<T.Token>>('/tokens') })

export const settings = queryOptions({ queryKey: ['settings'], queryFn: () => get<T.Settings>('/settings') })

/** Everything that a change under this key may have made stale. */
export const key = (...parts: string[]): QueryKey => parts
