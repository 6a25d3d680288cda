import { chromium, type Browser, type Page } from 'playwright-core'

// Flags that keep Chromium to itself: no updates, no sync, nothing sent anywhere.
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

export const BASE = (process.env.BELFRY_URL ?? 'http://127.0.0.1:7400').replace(/\/$/, '')
const USER = process.env.BELFRY_USER ?? 'admin'
const PASSWORD = process.env.BELFRY_PASSWORD ?? ''

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS })
}

/** Signs in as a person does, and waits for the frame. */
export async function signIn(page: Page): Promise<void> {
  await page.goto(`${BASE}/sign-in`)
  await page.getByLabel('Name').fill(USER)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Main' }).or(page.getByRole('button', { name: 'Open navigation' })).first().waitFor()
}

/** What the page complained about: errors of scripts, and what the content policy refused. */
export function complaints(page: Page): string[] {
  const heard: string[] = []
  page.on('pageerror', (e) => heard.push(String(e)))
  page.on('console', (m) => {
    if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) heard.push(m.text())
  })
  return heard
}
