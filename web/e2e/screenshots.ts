// Takes every page, light and dark, wide and narrow: `BELFRY_URL=… BELFRY_USER=… BELFRY_PASSWORD=… npm run screenshots -- FOLDER [only]`.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { BASE, complaints, launch, signIn } from './browser.ts'

const folder = process.argv[2] ?? 'screenshots'
const only = process.argv[3]
const SIZES = [
  { name: '1440', width: 1440, height: 900 },
  { name: '360', width: 360, height: 780 },
]

type Prepare = (page: Page) => Promise<void>
const openFirst: Prepare = (page) => page.getByRole('grid').getByRole('row').nth(page.viewportSize()?.width === 360 ? 0 : 1).click({ timeout: 5_000 })
const tab = (name: string): Prepare => (page) => page.getByRole('tab', { name }).click()

const SHOTS: Array<{ name: string; path: string; then?: Prepare }> = [
  { name: 'overview', path: '/' },
  { name: 'events', path: '/events?from=now-7d&to=now' },
  { name: 'events-filter', path: '/events?from=now-30d&to=now&filter=event.action%3A+authentication.failed+and+not+user.name%3A+root' },
  { name: 'events-typo', path: '/events?filter=user.nme%3A+ada' },
  { name: 'event-summary', path: '/events?from=now-7d&to=now', then: firstRow },
  { name: 'event-related', path: '/events?from=now-7d&to=now', then: (page) => firstRow(page).then(() => tab('Related')(page)) },
  { name: 'event-notifications', path: '/events?from=now-7d&to=now&filter=event.severity+%3E%3D+high', then: (page) => firstRow(page).then(() => tab('Notifications')(page)) },
  { name: 'event-record', path: '/events?from=now-7d&to=now', then: (page) => firstRow(page).then(() => tab('Record')(page)) },
  { name: 'event-proof', path: '/events?from=now-7d&to=now', then: (page) => firstRow(page).then(() => tab('Proof')(page)) },
  { name: 'reports', path: '/reports/password-views' },
  { name: 'runs', path: '/runs' },
  { name: 'inbox', path: '/inbox' },
  { name: 'deliveries', path: '/deliveries' },
  { name: 'delivery', path: '/deliveries', then: openFirst },
  { name: 'rules', path: '/rules' },
  { name: 'rule-new', path: '/rules/new?filter=event.action%3A+credential.password.viewed' },
  { name: 'channels', path: '/channels' },
  { name: 'channel-new', path: '/channels/new' },
  { name: 'sources', path: '/sources' },
  { name: 'source', path: '/sources/vault' },
  { name: 'source-gaps', path: '/sources/teleport?tab=gaps' },
  { name: 'source-aside', path: '/sources/vault?tab=set-aside' },
  { name: 'source-selection', path: '/sources/vault?tab=selection' },
  { name: 'source-send', path: '/sources/vault?tab=send', then: (page) => page.getByText('OpenTelemetry').click() },
  { name: 'source-settings', path: '/sources/vault?tab=settings' },
  { name: 'applications', path: '/applications' },
  { name: 'application', path: '/applications/payroll' },
  { name: 'application-enrol', path: '/applications/payroll', then: (page) => page.getByRole('button', { name: 'Enrol a device' }).first().click() },
  { name: 'inputs', path: '/inputs' },
  { name: 'input', path: '/inputs', then: openFirst },
  { name: 'input-new', path: '/inputs?open=new' },
  { name: 'hooks', path: '/inputs?tab=hooks' },
  { name: 'hook', path: '/inputs?tab=hooks', then: openFirst },
  { name: 'hook-new', path: '/inputs?tab=hooks&open=new' },
  { name: 'set-aside', path: '/set-aside' },
  { name: 'set-aside-group', path: '/set-aside', then: openFirst },
  { name: 'set-aside-record', path: '/set-aside', then: (page) => openFirst(page).then(() => page.getByRole('grid', { name: 'set-aside', exact: true }).waitFor()).then(() => settled(page)).then(() => openFirst(page)) },
  { name: 'set-aside-discarded', path: '/set-aside?state=discarded' },
  { name: 'mappings', path: '/mappings' },
  { name: 'mapping-new', path: '/mappings/new?name=turnstile', then: (page) => page.getByLabel('One raw line').fill('{"when":"2026-11-20T08:00:00Z","who":"ada","client_ip":"192.0.2.7:51000","gate":"north","what":"passed","ok":true}') },
  { name: 'mapping', path: '/mappings/vault' },
  { name: 'mapping-versions', path: '/mappings/vault?tab=versions' },
  { name: 'mapping-reference', path: '/mappings/vault?tab=reference' },
  { name: 'mapping-change', path: '/mappings/vault?tab=dry-run', then: (page) => page.getByRole('button', { name: /^Read the last/ }).click() },
  { name: 'trail', path: '/trail' },
  { name: 'retention', path: '/retention' },
  { name: 'retention-policy', path: '/retention?open=new' },
  { name: 'holds', path: '/retention?tab=holds' },
  { name: 'hold', path: '/retention?tab=holds', then: openFirst },
  { name: 'hold-new', path: '/retention?tab=holds&open=new' },
  { name: 'erasures', path: '/retention?tab=erasures' },
  { name: 'erasure', path: '/retention?tab=erasures', then: openFirst },
  { name: 'erasure-new', path: '/retention?tab=erasures&open=new' },
  { name: 'backups', path: '/backups' },
  { name: 'backup', path: '/backups', then: openFirst },
  { name: 'backups-key', path: '/backups?open=key' },
  { name: 'backups-settings', path: '/backups?open=settings' },
  { name: 'settings', path: '/settings' },
  { name: 'settings-tokens', path: '/settings?tab=tokens' },
]

async function firstRow(page: Page): Promise<void> {
  await openFirst(page)
  await page.getByRole('complementary', { name: 'Event', exact: true }).waitFor()
}

/** Waits until nothing stands in for what is still loading. */
async function settled(page: Page): Promise<void> {
  await page.waitForTimeout(300)
  await page.waitForFunction(() => document.querySelector('.mantine-Skeleton-root, [aria-busy=true]') === null, null, { timeout: 15_000 }).catch(() => undefined)
  await page.waitForTimeout(250)
}

mkdirSync(folder, { recursive: true })
const browser = await launch()
const heard = new Set<string>()
for (const size of SIZES) {
  for (const scheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ viewport: size, colorScheme: scheme, reducedMotion: 'reduce' })
    const page = await context.newPage()
    const said = complaints(page)
    await page.goto(`${BASE}/sign-in`)
    await page.getByLabel('Name').waitFor()
    if (!only || only === 'sign-in') await page.screenshot({ path: join(folder, `sign-in-${size.name}-${scheme}.png`) })
    await signIn(page)
    for (const shot of SHOTS) {
      if (only && !shot.name.match(only)) continue
      await page.goto(BASE + shot.path)
      await page.getByRole('heading', { level: 1 }).first().waitFor({ timeout: 20_000 }).catch(() => heard.add(`${shot.name} has no heading`))
      await settled(page)
      try {
        await shot.then?.(page)
        await settled(page)
      } catch (fault) {
        heard.add(`${shot.name}: ${String(fault).split('\n')[0] ?? ''}`)
      }
      await page.screenshot({ path: join(folder, `${shot.name}-${size.name}-${scheme}.png`) })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      if (wide > 0) heard.add(`${shot.name} at ${size.name} is ${wide} px too wide`)
      said.splice(0).forEach((s) => heard.add(`${shot.name}: ${s}`))
    }
    await context.close()
  }
}
await browser.close()
for (const line of heard) process.stderr.write(`${line}\n`)
