import { ActionIcon, Drawer, Indicator, Menu, Tooltip, useMantineColorScheme } from '@mantine/core'
import { useDisclosure, useHotkeys } from '@mantine/hooks'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { AppWindow, Archive, Bell as BellIcon, BookOpenCheck, Braces, Cable, CircleDashed, FileText, Gauge, Hourglass, Import, Inbox, LogOut, type LucideIcon, Menu as MenuIcon, Monitor, Moon, Radio, ScrollText, Search, Send, Settings, Siren, Sun } from 'lucide-react'
import { Suspense, lazy } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { Privilege } from '@/api/types'
import { initials } from '@/lib/format'
import { Logo } from '@/ui/Logo'
import { failed } from '@/ui/toast'
import classes from './Shell.module.css'
import { TrailFoot, TrailLine } from './TrailState'
import { useMay, useMe } from './session'

const Jump = lazy(() => import('./Jump'))

interface Place {
  to: string
  title: string
  icon: LucideIcon
  needs?: Privilege
}

const PLACES: ReadonlyArray<{ title?: string; places: Place[] }> = [
  {
    places: [
      { to: '/', title: 'Overview', icon: Gauge, needs: 'events:read' },
      { to: '/events', title: 'Events', icon: ScrollText, needs: 'events:read' },
      { to: '/reports', title: 'Reports', icon: FileText, needs: 'reports:run' },
    ],
  },
  {
    title: 'Alerting',
    places: [
      { to: '/inbox', title: 'Inbox', icon: Inbox },
      { to: '/rules', title: 'Rules', icon: Siren, needs: 'rules:read' },
      { to: '/channels', title: 'Channels', icon: Radio, needs: 'channels:read' },
      { to: '/deliveries', title: 'Deliveries', icon: Send, needs: 'deliveries:read' },
    ],
  },
  {
    title: 'Sources',
    places: [
      { to: '/sources', title: 'Sources', icon: Cable, needs: 'sources:read' },
      { to: '/set-aside', title: 'Set aside', icon: CircleDashed, needs: 'sources:read' },
      { to: '/mappings', title: 'Mappings', icon: Braces, needs: 'sources:read' },
      { to: '/applications', title: 'Applications', icon: AppWindow, needs: 'sources:read' },
      { to: '/inputs', title: 'Inputs', icon: Import, needs: 'sources:read' },
    ],
  },
  {
    title: 'System',
    places: [
      { to: '/trail', title: 'Trail', icon: BookOpenCheck, needs: 'trail:read' },
      { to: '/retention', title: 'Retention', icon: Hourglass, needs: 'retention:read' },
      { to: '/backups', title: 'Backups', icon: Archive, needs: 'backups:read' },
      { to: '/settings', title: 'Settings', icon: Settings },
    ],
  },
]

export function Shell() {
  const [folded, nav] = useDisclosure(false)
  const [jumping, jump] = useDisclosure(false)
  const may = useMay()
  useHotkeys([['mod+K', jump.toggle]], [])
  return (
    <div className={classes.shell}>
      <a href="#page" className={classes.skip}>
        Skip to the page
      </a>
      <nav className={classes.nav} aria-label="Main">
        <Navigation />
      </nav>
      <Drawer opened={folded} onClose={nav.close} size={260} title={<Logo />} padding="md" classNames={{ body: classes.folded }}>
        <Navigation onGo={nav.close} inDrawer />
      </Drawer>
      <header className={classes.top}>
        <ActionIcon className={classes.burger} aria-label="Open navigation" onClick={nav.open}>
          <MenuIcon size={18} />
        </ActionIcon>
        <button type="button" className={classes.jump} onClick={jump.open}>
          <Search size={14} />
          <span className="grow clip">Jump to a page, user, host, event…</span>
          <kbd>Ctrl K</kbd>
        </button>
        <span className="grow" />
        <Organization />
        <Unread />
        <Person />
      </header>
      <main className={classes.main} id="page" tabIndex={-1}>
        <Suspense fallback={null}>
          <Outlet />
        </Suspense>
      </main>
      {may('trail:read') && (
        <footer className={classes.foot}>
          <TrailLine />
        </footer>
      )}
      {jumping && (
        <Suspense fallback={null}>
          <Jump close={jump.close} places={PLACES.flatMap((g) => g.places).filter((p) => !p.needs || may(p.needs))} />
        </Suspense>
      )}
    </div>
  )
}

function Navigation({ onGo, inDrawer }: { onGo?: () => void; inDrawer?: boolean }) {
  const may = useMay()
  const unread = useUnread()
  const path = useRouterState({ select: (s) => s.location.pathname })
  const here = (to: string): boolean => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`)) || (to === '/reports' && path.startsWith('/runs'))
  return (
    <>
      {!inDrawer && (
        <Link to="/" className={classes.brand} aria-label="Belfry, to the overview">
          <Logo />
        </Link>
      )}
      <div className={classes.places}>
        {PLACES.map((group) => {
          const shown = group.places.filter((p) => !p.needs || may(p.needs))
          if (shown.length === 0) return null
          return (
            <div key={group.title ?? ''} className={classes.group}>
              {group.title && <div className={classes.groupTitle}>{group.title}</div>}
              {shown.map((p) => (
                <Link key={p.to} to={p.to} className={classes.place} data-here={here(p.to) || undefined} aria-current={here(p.to) ? 'page' : undefined} onClick={onGo}>
                  <p.icon size={16} strokeWidth={1.8} />
                  <span className="grow">{p.title}</span>
                  {p.to === '/inbox' && unread > 0 && <span className={classes.unread}>{unread}</span>}
                </Link>
              ))}
            </div>
          )
        })}
      </div>
      {may('trail:read') && <TrailFoot onGo={onGo} />}
    </>
  )
}

function useUnread(): number {
  const may = useMay()
  const { data } = useInfiniteQuery({ ...ask.inbox(true), enabled: may('inbox:own') })
  return data?.pages[0]?.unread ?? 0
}

function Unread() {
  const unread = useUnread()
  return (
    <Tooltip label={unread === 0 ? 'Nothing unread' : `${unread} unread`}>
      <Indicator label={unread > 99 ? '99+' : unread} size={16} disabled={unread === 0} offset={5} color="red.7" inline>
        <ActionIcon component={Link} to="/inbox" aria-label={`Inbox, ${unread} unread`} size={32}>
          <BellIcon size={17} />
        </ActionIcon>
      </Indicator>
    </Tooltip>
  )
}

function Organization() {
  const me = useMe()
  return (
    <span className={`${classes.org} wide-only`} title="Organization">
      {me?.organization}
    </span>
  )
}

function Person() {
  const me = useMe()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  if (!me) return null
  const name = me.user.full_name || me.user.name
  const leave = async (): Promise<void> => {
    try {
      await answer(http.DELETE('/api/v1/session'))
    } catch (failure) {
      failed(failure)
      return
    }
    client.clear()
    void navigate({ to: '/sign-in' })
  }
  return (
    <Menu width={220}>
      <Menu.Target>
        <button type="button" className={classes.person} aria-label={`Account of ${name}`}>
          {initials(name)}
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <div style={{ color: 'var(--text)', fontWeight: 600, fontSize: 13 }}>{name}</div>
          {me.user.role} · {me.organization}
        </Menu.Label>
        <Menu.Divider />
        <Menu.Label>Appearance</Menu.Label>
        {(
          [
            ['light', 'Light', Sun],
            ['dark', 'Dark', Moon],
            ['auto', 'As the system', Monitor],
          ] as const
        ).map(([value, title, Icon]) => (
          <Menu.Item key={value} leftSection={<Icon size={14} />} rightSection={colorScheme === value ? '✓' : null} onClick={() => setColorScheme(value)} closeMenuOnClick={false}>
            {title}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<Settings size={14} />} component={Link} to="/settings" {...({ search: { tab: 'password' } } as object)}>
          My password
        </Menu.Item>
        <Menu.Item leftSection={<LogOut size={14} />} onClick={leave}>
          Sign out
        </Menu.Item>
        <Menu.Label>Belfry {me.version}</Menu.Label>
      </Menu.Dropdown>
    </Menu>
  )
}
