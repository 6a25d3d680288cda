import { infiniteQueryOptions, queryOptions, type QueryKey } from '@tanstack/react-query'
import { answer, http } from './client'
import { Problem } from './problem'
import type * as T from './types'

/** A question to the store: the filter and both ends of the range as moments. */
export interface Question {
  filter: string
  from?: string
  to?: string
}

const FIRST = ''
const cursorOf = (page: string): string | undefined => (page === FIRST ? undefined : page)
const following = (last: { next?: string | null }): string | undefined => last.next ?? undefined

// Who asks, and the trail under everything.

export const me = queryOptions({
  queryKey: ['me'],
  queryFn: async ({ signal }): Promise<T.Me | null> => {
    try {
      return await answer(http.GET('/api/v1/session', { signal }))
    } catch (failure) {
      if (failure instanceof Problem && failure.status === 401) return null
      throw failure
    }
  },
  staleTime: 60_000,
})

export const trail = queryOptions({
  queryKey: ['trail'],
  queryFn: ({ signal }) => answer(http.GET('/api/v1/trail', { signal })),
  refetchInterval: (query) => (query.state.data?.self_check.state === 'running' ? 700 : 10_000),
  staleTime: 2_000,
})

// Events

export const events = (question: Question, order: string, limit = 100) =>
  infiniteQueryOptions({
    queryKey: ['events', question, order, limit],
    queryFn: async ({ pageParam, signal }) =>
      (await answer(http.GET('/api/v1/events', { params: { query: { ...question, order, limit, cursor: cursorOf(pageParam) } }, signal }))) as T.Hits,
    initialPageParam: FIRST,
    getNextPageParam: following,
    staleTime: 15_000,
  })

export const latest = (question: Question, limit: number) =>
  queryOptions({
    queryKey: ['events', 'latest', question, limit],
    queryFn: async ({ signal }) => (await answer(http.GET('/api/v1/events', { params: { query: { ...question, limit } }, signal }))) as T.Hits,
  })

export const event = (position: number) =>
  queryOptions({
    queryKey: ['event', position],
    queryFn: async ({ signal }) => (await answer(http.GET('/api/v1/events/{position}', { params: { path: { position } }, signal }))) as T.EventDetail,
    staleTime: Infinity,
  })

export const proof = (position: number) =>
  queryOptions({
    queryKey: ['event', position, 'proof'],
    queryFn: ({ signal }) => answer(http.GET('/api/v1/events/{position}/proof', { params: { path: { position } }, signal })),
  })

export const related = (position: number, by: string) =>
  queryOptions({
    queryKey: ['event', position, 'related', by],
    queryFn: async ({ signal }) => (await answer(http.GET('/api/v1/events/{position}/related', { params: { path: { position }, query: { by } }, signal }))) as T.Related,
    staleTime: 30_000,
  })

export const eventNotifications = (position: number) =>
  queryOptions({
    queryKey: ['event', position, 'notifications'],
    queryFn: ({ signal }) => answer(http.GET('/api/v1/events/{position}/notifications', { params: { path: { position } }, signal })),
  })

export const summary = (question: Question, by: string, span: string, top = 20) =>
  queryOptions({
    queryKey: ['summary', question, by, span, top],
    queryFn: ({ signal }) => answer(http.GET('/api/v1/events/summary', { params: { query: { ...question, by, span, top } }, signal })),
    staleTime: 30_000,
  })

export const fields = queryOptions({ queryKey: ['fields'], queryFn: async () => (await answer(http.GET('/api/v1/fields'))).items, staleTime: Infinity })

export const values = (question: Question, field: string, prefix: string) =>
  queryOptions({
    queryKey: ['values', question, field, prefix],
    queryFn: ({ signal }) => answer(http.GET('/api/v1/fields/values', { params: { query: { ...question, field, prefix } }, signal })),
    staleTime: 30_000,
  })

export const catalogue = queryOptions({ queryKey: ['catalogue'], queryFn: async () => (await answer(http.GET('/api/v1/catalogue'))).items, staleTime: Infinity })

export const savedFilters = queryOptions({ queryKey: ['saved-filters'], queryFn: () => answer(http.GET('/api/v1/saved-filters')) })

// Alerting

export const rules = queryOptions({ queryKey: ['rules'], queryFn: () => answer(http.GET('/api/v1/rules')) })

export const rule = (id: string) => queryOptions({ queryKey: ['rules', id], queryFn: () => answer(http.GET('/api/v1/rules/{id}', { params: { path: { id } } })) })

export const channels = queryOptions({
  queryKey: ['channels'],
  queryFn: async () => (await answer(http.GET('/api/v1/channels'))) as { items: T.Channel[] },
})

export interface DeliveryFilter {
  state?: T.DeliveryState
  channel?: string
  rule?: string
}

export const deliveries = (filter: DeliveryFilter) =>
  infiniteQueryOptions({
    queryKey: ['deliveries', filter],
    queryFn: ({ pageParam, signal }) => answer(http.GET('/api/v1/deliveries', { params: { query: { ...filter, cursor: cursorOf(pageParam) } }, signal })),
    initialPageParam: FIRST,
    getNextPageParam: following,
    refetchInterval: 15_000,
  })

export const delivery = (id: string) =>
  queryOptions({ queryKey: ['deliveries', 'one', id], queryFn: () => answer(http.GET('/api/v1/deliveries/{id}', { params: { path: { id } } })), refetchInterval: 5_000 })

export const inbox = (unread: boolean) =>
  infiniteQueryOptions({
    queryKey: ['inbox', unread],
    queryFn: ({ pageParam, signal }) => answer(http.GET('/api/v1/inbox', { params: { query: { unread: unread || undefined, cursor: cursorOf(pageParam) } }, signal })),
    initialPageParam: FIRST,
    getNextPageParam: following,
    refetchInterval: 15_000,
  })

// Reports

export const reports = queryOptions({ queryKey: ['reports'], queryFn: () => answer(http.GET('/api/v1/reports')), staleTime: 60_000 })

export const runs = queryOptions({
  queryKey: ['runs'],
  queryFn: () => answer(http.GET('/api/v1/report-runs')),
  refetchInterval: (query) => (query.state.data?.items.some((r) => r.state === 'running') ? 800 : 30_000),
})

export const run = (id: string) =>
  queryOptions({
    queryKey: ['runs', id],
    queryFn: () => answer(http.GET('/api/v1/report-runs/{id}', { params: { path: { id } } })),
    refetchInterval: (query) => (query.state.data?.state === 'running' ? 500 : false),
  })

// Backups

export const backups = infiniteQueryOptions({
  queryKey: ['backups', 'list'],
  queryFn: ({ pageParam, signal }) => answer(http.GET('/api/v1/backups', { params: { query: { cursor: cursorOf(pageParam) } }, signal })),
  initialPageParam: FIRST,
  getNextPageParam: following,
  refetchInterval: (query) => (query.state.data?.pages.some((p) => p.items.some((b) => b.state === 'running' || b.progress)) ? 700 : 15_000),
})

export const backupSettings = queryOptions({ queryKey: ['backups', 'settings'], queryFn: () => answer(http.GET('/api/v1/backups/settings')) })

// Sources and access

export const sources = queryOptions({ queryKey: ['sources'], queryFn: () => answer(http.GET('/api/v1/sources')), refetchInterval: 15_000 })

export const sourceHealth = (name: string) =>
  queryOptions({ queryKey: ['sources', name, 'health'], queryFn: () => answer(http.GET('/api/v1/sources/{name}/health', { params: { path: { name } } })), refetchInterval: 15_000 })

export const selection = queryOptions({ queryKey: ['selection'], queryFn: () => answer(http.GET('/api/v1/selection')) })

export const applications = queryOptions({ queryKey: ['applications', 'list'], queryFn: () => answer(http.GET('/api/v1/applications')), refetchInterval: 30_000 })

export const application = (name: string) =>
  queryOptions({ queryKey: ['applications', 'one', name], queryFn: () => answer(http.GET('/api/v1/applications/{name}', { params: { path: { name } } })) })

export const devices = (name: string) =>
  queryOptions({ queryKey: ['applications', 'devices', name], queryFn: () => answer(http.GET('/api/v1/applications/{name}/devices', { params: { path: { name } } })), refetchInterval: 10_000 })

export const enrolments = (name: string) =>
  queryOptions({ queryKey: ['applications', 'enrolments', name], queryFn: () => answer(http.GET('/api/v1/applications/{name}/enrolments', { params: { path: { name } } })), refetchInterval: 10_000 })

export const hooks = queryOptions({ queryKey: ['hooks'], queryFn: () => answer(http.GET('/api/v1/hooks')), refetchInterval: 15_000 })

export const inputs = queryOptions({
  queryKey: ['inputs'],
  queryFn: async () => (await answer(http.GET('/api/v1/inputs'))) as { items: T.Input[] },
  refetchInterval: 5_000,
})

// What was set aside, and the mappings that read what sources send

export interface SetAsideFilter {
  source?: string
  group?: string
  state: string
}

export const setAside = (filter: SetAsideFilter) =>
  infiniteQueryOptions({
    queryKey: ['set-aside', 'records', filter],
    queryFn: ({ pageParam, signal }) => answer(http.GET('/api/v1/set-aside', { params: { query: { ...filter, cursor: cursorOf(pageParam) } }, signal })),
    initialPageParam: FIRST,
    getNextPageParam: following,
  })

export const setAsideRecord = (id: string) =>
  queryOptions({ queryKey: ['set-aside', 'record', id], queryFn: () => answer(http.GET('/api/v1/set-aside/records/{id}', { params: { path: { id } } })) })

export const setAsideGroups = (source?: string) =>
  infiniteQueryOptions({
    queryKey: ['set-aside', 'groups', source],
    queryFn: ({ pageParam, signal }) => answer(http.GET('/api/v1/set-aside/groups', { params: { query: { source, cursor: cursorOf(pageParam) } }, signal })),
    initialPageParam: FIRST,
    getNextPageParam: following,
    refetchInterval: 30_000,
  })

export const setAsideGroup = (id: string) =>
  queryOptions({
    queryKey: ['set-aside', 'group', id],
    queryFn: async () => {
      try {
        return await answer(http.GET('/api/v1/set-aside/groups/{id}', { params: { path: { id } } }))
      } catch (failure) {
        // Its last record was settled.
        if (failure instanceof Problem && failure.status === 404) return null
        throw failure
      }
    },
  })

export const replay = (id: string) =>
  queryOptions({
    queryKey: ['replays', id],
    queryFn: () => answer(http.GET('/api/v1/set-aside/replays/{id}', { params: { path: { id } } })),
    refetchInterval: (query) => (query.state.data?.state === 'running' ? 400 : false),
    retry: false,
  })

export const mappings = queryOptions({ queryKey: ['mappings', 'list'], queryFn: () => answer(http.GET('/api/v1/mappings')) })

export const mapping = (name: string) =>
  queryOptions({ queryKey: ['mappings', 'one', name], queryFn: () => answer(http.GET('/api/v1/mappings/{name}', { params: { path: { name } } })) })

export const mappingSamples = (name: string) =>
  queryOptions({ queryKey: ['mappings', 'samples', name], queryFn: () => answer(http.GET('/api/v1/mappings/{name}/samples', { params: { path: { name } } })) })

export const mappingVersions = (name: string) =>
  queryOptions({ queryKey: ['mappings', 'versions', name], queryFn: () => answer(http.GET('/api/v1/mappings/{name}/versions', { params: { path: { name } } })) })

export const mappingVersion = (name: string, version: number) =>
  queryOptions({
    queryKey: ['mappings', 'versions', name, version],
    queryFn: () => answer(http.GET('/api/v1/mappings/{name}/versions/{version}', { params: { path: { name, version } } })),
    staleTime: Infinity,
  })

export const mappingReference = queryOptions({ queryKey: ['mapping-reference'], queryFn: () => answer(http.GET('/api/v1/mappings/reference')), staleTime: Infinity })

/** What a draft makes of samples. */
export const mappingTest = (name: string, program: string, samples: string[]) =>
  queryOptions({
    queryKey: ['mapping-test', name, program, samples],
    queryFn: ({ signal }) => answer(http.POST('/api/v1/mappings/{name}/test', { params: { path: { name } }, body: { program, samples }, signal })),
    retry: false,
    gcTime: 60_000,
  })

export const proposal = (record: string, name: string) =>
  queryOptions({
    queryKey: ['mapping-proposal', record, name],
    queryFn: ({ signal }) => answer(http.POST('/api/v1/mappings/propose', { body: { record, name }, signal })),
    retry: false,
    enabled: record.trim() !== '',
    staleTime: Infinity,
    gcTime: 60_000,
  })

// Users and access

export const users = queryOptions({ queryKey: ['users'], queryFn: () => answer(http.GET('/api/v1/users')) })

export const tokens = queryOptions({ queryKey: ['tokens'], queryFn: () => answer(http.GET('/api/v1/tokens')) })

export const settings = queryOptions({ queryKey: ['settings'], queryFn: () => answer(http.GET('/api/v1/settings')) })

// Retention, holds, erasures

export const retention = queryOptions({ queryKey: ['retention'], queryFn: () => answer(http.GET('/api/v1/retention')) })

const isWorking = (state: string): boolean => state === 'counting' || state === 'running'

export const removals = queryOptions({
  queryKey: ['removals'],
  queryFn: () => answer(http.GET('/api/v1/removals')),
  refetchInterval: (query) => (query.state.data?.items.some((r) => isWorking(r.state)) ? 700 : 30_000),
})

export const removedAt = (position: number) =>
  queryOptions({
    queryKey: ['removals', 'at', position],
    queryFn: async ({ signal }) => {
      try {
        return await answer(http.GET('/api/v1/events/{position}/removal', { params: { path: { position } }, signal }))
      } catch (failure) {
        if (failure instanceof Problem && failure.status === 404) return null
        throw failure
      }
    },
    staleTime: Infinity,
  })

export const holds = queryOptions({ queryKey: ['holds'], queryFn: () => answer(http.GET('/api/v1/holds')) })

export const erasures = queryOptions({
  queryKey: ['erasures'],
  queryFn: () => answer(http.GET('/api/v1/erasures')),
  refetchInterval: (query) => (query.state.data?.items.some((e) => isWorking(e.state)) ? 1_000 : 30_000),
})

export const erasure = (id: string) =>
  queryOptions({
    queryKey: ['erasures', id],
    queryFn: () => answer(http.GET('/api/v1/erasures/{id}', { params: { path: { id } } })),
    refetchInterval: (query) => (query.state.data && isWorking(query.state.data.state) ? 700 : 10_000),
  })

/** Everything that a change under this key may have made stale. */
export const key = (...parts: string[]): QueryKey => parts
