import type { QueryClient } from '@tanstack/react-query'
import { Outlet, createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import * as ask from '@/api/queries'
import { Shell } from '@/components/Shell'
import { Failure } from '@/ui/Failure'
import { parseAddress, writeAddress, type Address } from '@/ui/address'

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: Outlet,
  validateSearch: (search: Record<string, unknown>): Address => search as Address,
})

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  component: lazyRouteComponent(() => import('@/pages/SignIn'), 'SignIn'),
})

// Everything else wants a session; without one the way leads to the sign-in page and back.
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    const me = await context.client.ensureQueryData(ask.me)
    if (!me) throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { then: location.href } } as never)
  },
  errorComponent: ({ error, reset }) => (
    <div style={{ padding: 24, maxWidth: 640, margin: '10vh auto' }}>
      <Failure of={error} again={reset} />
    </div>
  ),
})

type Screen = () => React.ReactNode
const page = <M extends Record<string, Screen>>(path: string, load: () => Promise<M>, name: keyof M & string, prefetch?: (client: QueryClient) => unknown) =>
  createRoute({
    getParentRoute: () => inside,
    path,
    component: lazyRouteComponent(load as never, name as never),
    loader: ({ context }) => void prefetch?.(context.client),
  })

const pages = [
  page('/', () => import('@/pages/Overview'), 'Overview', (c) => c.prefetchQuery(ask.trail)),
  page('/events', () => import('@/pages/Events'), 'Events', (c) => c.prefetchQuery(ask.fields)),
  page('/reports', () => import('@/pages/Reports'), 'Reports', (c) => c.prefetchQuery(ask.reports)),
  page('/reports/$id', () => import('@/pages/Reports'), 'Reports', (c) => c.prefetchQuery(ask.reports)),
  page('/runs', () => import('@/pages/Runs'), 'Runs', (c) => c.prefetchQuery(ask.runs)),
  page('/runs/$id', () => import('@/pages/Runs'), 'Runs', (c) => c.prefetchQuery(ask.runs)),
  page('/inbox', () => import('@/pages/Inbox'), 'Inbox'),
  page('/deliveries', () => import('@/pages/Deliveries'), 'Deliveries'),
  page('/rules', () => import('@/pages/Rules'), 'Rules', (c) => c.prefetchQuery(ask.rules)),
  page('/rules/$id', () => import('@/pages/RuleEditor'), 'RuleEditor', (c) => c.prefetchQuery(ask.channels)),
  page('/channels', () => import('@/pages/Channels'), 'Channels', (c) => c.prefetchQuery(ask.channels)),
  page('/channels/$id', () => import('@/pages/Channels'), 'Channels', (c) => c.prefetchQuery(ask.channels)),
  page('/sources', () => import('@/pages/Sources'), 'Sources', (c) => c.prefetchQuery(ask.sources)),
  page('/sources/$name', () => import('@/pages/Source'), 'Source', (c) => c.prefetchQuery(ask.sources)),
  page('/set-aside', () => import('@/pages/SetAside'), 'SetAside'),
  page('/set-aside/$group', () => import('@/pages/SetAside'), 'SetAside'),
  page('/mappings', () => import('@/pages/Mappings'), 'Mappings', (c) => c.prefetchQuery(ask.mappings)),
  page('/mappings/new', () => import('@/pages/NewMapping'), 'NewMapping', (c) => c.prefetchQuery(ask.mappings)),
  page('/mappings/$name', () => import('@/pages/MappingEditor'), 'MappingEditor'),
  page('/applications', () => import('@/pages/Applications'), 'Applications', (c) => c.prefetchQuery(ask.applications)),
  page('/applications/$name', () => import('@/pages/Application'), 'Application'),
  page('/inputs', () => import('@/pages/Inputs'), 'Inputs'),
  page('/trail', () => import('@/pages/Trail'), 'Trail', (c) => c.prefetchQuery(ask.trail)),
  page('/retention', () => import('@/pages/Retention'), 'Retention', (c) => c.prefetchQuery(ask.retention)),
  page('/backups', () => import('@/pages/Backups'), 'Backups', (c) => c.prefetchInfiniteQuery(ask.backups)),
  page('/settings', () => import('@/pages/Settings'), 'Settings'),
  page('$', () => import('@/pages/Missing'), 'Missing'),
]

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([signIn, inside.addChildren(pages)]),
    context: { client },
    parseSearch: parseAddress,
    stringifySearch: writeAddress,
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: ({ error, reset }) => (
      <div style={{ padding: 24 }}>
        <Failure of={error} again={reset} />
      </div>
    ),
  })
}
