// Walks the console as a person does, in a real browser, against a real server:
// `BELFRY_URL=… BELFRY_USER=… BELFRY_PASSWORD=… npm run e2e`. It needs an administrator; it leaves a rule and a few events behind.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { BASE, complaints, launch, signIn } from './browser.ts'

const RUN = Date.now().toString(36)
const ACTOR = `e2e-${RUN}`
const HOST = `vault-${RUN}`
const PRODUCT = `gate-${RUN}`
// Actions of a mapping begin with its name, in the letters that an action may have.
const ACTION = `gate_${RUN}.passed`
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PATIENCE = { timeout: 40_000 }

let browser: Browser
let page: Page
let heard: string[]

before(async () => {
  browser = await launch()
  page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true })).newPage()
  page.setDefaultTimeout(30_000)
  heard = complaints(page)
})

after(async () => {
  await browser.close()
})

/** Takes a picture where a folder for them is named. */
async function shot(name: string): Promise<void> {
  const folder = process.env.SHOTS
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) })
}

/** Sends an event through the ordinary door, as the person who is signed in. */
async function send(action: string, more: object = {}): Promise<number> {
  const event = { event: { action, outcome: 'success' }, user: { name: ACTOR }, host: { name: HOST }, source: { ip: '192.0.2.7' }, ...more }
  const answer = await page.evaluate(async (body) => {
    const response = await fetch('/api/v1/events', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return { status: response.status, text: await response.text() }
  }, event)
  assert.equal(answer.status, 200, answer.text)
  return (JSON.parse(answer.text) as { first: number }).first
}

/** Sends records to the source that the test makes, as the product would write them. */
async function sendRaw(body: string): Promise<{ accepted: number }> {
  return page.evaluate(
    async ([source, text]) => (await (await fetch(`/api/v1/events?source=${source}`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: text })).json()) as { accepted: number },
    [PRODUCT, body] as const,
  )
}

/** Looks for what keeps people out: no names, too little contrast, broken structure. */
async function axe(where: string): Promise<void> {
  await page.evaluate(AXE)
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (at: Document, options: object) => Promise<{ violations: Array<{ id: string; impact: string; nodes: Array<{ html: string }> }> }> } }
    const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] })
    return violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).slice(0, 3).join(' | ')}`)
  })
  assert.deepEqual(found, [], where)
}

const rows = () => page.getByRole('grid', { name: 'events' }).getByRole('row').filter({ hasNot: page.getByRole('columnheader') })

test('a wrong password is refused, the right one opens the console', async () => {
  await page.goto(`${BASE}/events?from=now-7d`)
  await page.waitForURL(/sign-in/)
  await page.getByLabel('Name').fill('nobody')
  await page.getByLabel('Password', { exact: true }).fill('not the password at all')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').waitFor()
  await signIn(page)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await page.getByText('High notifications open').waitFor()
})

test('events are found with the help of completion, and a typo is mended', async () => {
  await send('credential.password.viewed', { credential: { username: 'root', type: 'Local User' } })
  await send('authentication.failed', { event: { action: 'authentication.failed', outcome: 'failure', reason: 'Wrong password' } })
  await page.getByRole('link', { name: 'Events', exact: true }).first().click()
  const filter = page.getByRole('combobox', { name: 'Filter' })

  // A field is completed with Tab, and a value is offered with its count.
  await filter.click()
  await filter.pressSequentially('user.na')
  await page.getByRole('option', { name: /^user\.name/ }).first().waitFor()
  await page.keyboard.press('Tab')
  assert.equal(await filter.inputValue(), 'user.name: ')
  await filter.pressSequentially(ACTOR.slice(0, -1))
  await page.getByRole('option', { name: new RegExp(ACTOR) }).click()
  await page.keyboard.press('Enter')
  await page.getByRole('region', { name: 'Events found' }).getByText(/^2 events/).waitFor(PATIENCE)
  assert.equal(await rows().count(), 2)
  assert.match(page.url(), /filter=user\.name/)

  // A wrong field name is underlined and mended with one click.
  await filter.fill(`user.nme: ${ACTOR}`)
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: /did you mean user\.name/ }).click()
  assert.equal((await filter.inputValue()).trim(), `user.name: ${ACTOR}`)
  await rows().nth(1).waitFor(PATIENCE)
})

test('an event opens with its details, and its proof is checked in the browser', async () => {
  await rows().filter({ hasText: HOST }).last().click()
  const drawer = page.getByRole('complementary', { name: 'Event', exact: true })
  await drawer.getByText(HOST).first().waitFor()
  assert.match(page.url(), /open=\d+/)

  // Keys walk the list, the drawer follows.
  const first = page.url()
  await page.keyboard.press('k')
  await page.waitForURL((url) => url.href !== first)
  await page.keyboard.press('j')
  await page.waitForURL(first)

  await drawer.getByRole('tab', { name: 'Related' }).click()
  await drawer.getByText('Actor', { exact: true }).click()
  await drawer.getByText(/2 events/).waitFor()
  await drawer.getByRole('tab', { name: 'Proof' }).click()
  await drawer.getByText('This event is in the trail, unaltered').waitFor(PATIENCE)
  const [saved] = await Promise.all([page.waitForEvent('download'), drawer.getByRole('button', { name: 'Download proof' }).click()])
  const proof = JSON.parse(await readFile(await saved.path(), 'utf8')) as { path: string[]; checkpoint: string }
  assert.ok(proof.checkpoint.includes('— '))

  // A value is a filter: alt-click leaves it out.
  await drawer.getByRole('tab', { name: 'Summary' }).click()
  await drawer.getByRole('button', { name: HOST, exact: true }).first().click({ modifiers: ['Alt'] })
  await page.waitForURL((url) => (url.searchParams.get('filter') ?? '').includes(`not host.name: ${HOST}`))
  await page.goBack()
  await page.keyboard.press('Escape')
  await drawer.waitFor({ state: 'detached' })
})

test('a rule is made from a search, with a preview of what it would have sent', async () => {
  await page.getByRole('link', { name: 'Channels' }).first().click()
  await page.getByRole('link', { name: 'New channel' }).first().click()
  await page.getByRole('radio', { name: /^Inbox/ }).click()
  await page.getByLabel('Name').fill(`Inbox ${RUN}`)
  await page.getByRole('button', { name: 'Make the channel' }).click()
  await page.getByText('Channel made').waitFor()

  await page.goto(`${BASE}/events?filter=${encodeURIComponent(`user.name: ${ACTOR}`)}`)
  await page.getByRole('link', { name: 'Make a rule' }).click()
  await page.getByRole('heading', { name: 'New rule' }).waitFor()
  await page.getByLabel('Name').fill(`Rule ${RUN}`)
  await page.getByRole('button', { name: 'Add a recipient' }).click()
  await page.getByRole('menuitem', { name: `Inbox ${RUN}` }).click()
  await page.getByText(/events? fits?/).first().waitFor(PATIENCE)
  await page.getByText(/The first \d+ messages?/).waitFor(PATIENCE)
  await page.getByRole('tab', { name: 'Slack' }).click()
  await page.getByText('APP', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Make the rule' }).click()
  await page.getByText('Rule made').waitFor()
  await page.getByRole('grid', { name: 'rules' }).getByText(`Rule ${RUN}`).waitFor()
})

test('the rule rings, and the notification is acknowledged', async () => {
  await send('remote_access.panic')
  await page.getByRole('link', { name: /^Inbox, / }).click()
  const item = page.getByRole('grid', { name: 'inbox' }).getByRole('row').filter({ hasText: ACTOR }).first()
  for (let tries = 0; tries < 20 && !(await item.isVisible()); tries++) {
    await page.waitForTimeout(1_000)
    await page.reload()
    await page.getByRole('grid', { name: 'inbox' }).waitFor()
  }
  await item.click()
  const panel = page.getByRole('complementary', { name: 'Notification' })
  await panel.getByRole('button', { name: 'Acknowledge' }).click()
  await panel.getByText(/^by /).waitFor()
  await panel.getByRole('link', { name: 'Open the event' }).click()
  const drawer = page.getByRole('complementary', { name: 'Event', exact: true })
  await drawer.getByRole('tab', { name: 'Notifications' }).click()
  await drawer.getByText(`Rule ${RUN}`).first().waitFor()

  await page.goto(`${BASE}/deliveries`)
  await page.getByRole('grid', { name: 'deliveries' }).getByText(`Rule ${RUN}`).first().waitFor()
})

test('a report is run, and the PDF is downloaded with its certificate', async () => {
  await page.goto(`${BASE}/reports/audit-tracking?from=now-24h&to=now`)
  await page.getByRole('region', { name: 'Preview' }).getByText(/rows?$/).first().waitFor(PATIENCE)
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await page.getByRole('menuitem', { name: /^PDF/ }).click()
  const download = page.getByRole('link', { name: /^Download PDF/ })
  await download.waitFor(PATIENCE)
  await page.getByText('Certificate', { exact: true }).waitFor()
  const [saved] = await Promise.all([page.waitForEvent('download'), download.click()])
  const bytes = await readFile(await saved.path())
  assert.equal(bytes.subarray(0, 5).toString(), '%PDF-')
  await page.goto(`${BASE}/runs`)
  await page.getByRole('grid', { name: 'runs' }).getByText('done').first().waitFor()
})

test('the trail is verified, and every page opens on its own link', async () => {
  await page.goto(`${BASE}/trail`)
  await page.getByRole('button', { name: 'Verify now' }).click()
  await page.getByText('The trail is whole').waitFor({ timeout: 90_000 })
  for (const [path, name] of [['/', 'Overview'], ['/events', 'Events'], ['/reports', 'Reports'], ['/runs', 'Runs of reports'], ['/inbox', 'Inbox'], ['/rules', 'Rules'], ['/rules/new', 'New rule'], ['/channels', 'Channels'], ['/deliveries', 'Deliveries'], ['/sources', 'Sources'], ['/sources/vault', /Vault/], ['/set-aside', 'Set aside'], ['/mappings', 'Mappings'], ['/mappings/new', 'New mapping'], ['/mappings/vault', /Mapping vault/], ['/applications', 'Applications'], ['/trail', 'Trail'], ['/retention', 'Retention'], ['/retention?tab=erasures', 'Retention'], ['/backups', 'Backups'], ['/settings', 'Settings'], ['/settings?tab=tokens', 'Settings']] as const) {
    await page.goto(BASE + path)
    await page.getByRole('heading', { level: 1, name }).waitFor(PATIENCE)
  }
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'Jump to' }).fill('deliv')
  await page.keyboard.press('Enter')
  await page.waitForURL(/deliveries/)
})

test('a policy is set and previewed, a hold placed and released, an erasure waits for a second person', async () => {
  await page.goto(`${BASE}/retention`)
  await page.getByRole('button', { name: 'New policy' }).click()
  const policy = page.getByRole('complementary', { name: 'Policy' })
  await policy.getByLabel('Category').fill('session')
  await policy.getByLabel('Keep for').fill('1h')
  await policy.getByRole('button', { name: 'Set the policy' }).click()
  await policy.getByText(/nothing younger than 1d/).first().waitFor()
  await policy.getByLabel('Keep for').fill('400d')
  await policy.getByRole('button', { name: 'Set the policy' }).click()
  await page.getByRole('table', { name: 'Policies' }).getByText('400d').waitFor(PATIENCE)
  await page.getByRole('button', { name: 'Preview what is past its time' }).click()
  await page.getByText('Nothing is past its time.').waitFor(PATIENCE)

  await page.getByRole('tab', { name: 'Legal holds' }).click()
  await page.getByRole('button', { name: 'Place a hold' }).click()
  const hold = page.getByRole('complementary', { name: 'Legal hold' })
  await hold.getByLabel('Name').fill(`Case ${RUN}`)
  await hold.getByRole('combobox', { name: 'Events to hold' }).fill('user.name: nobody')
  await hold.getByLabel('Reason').fill('court order')
  await hold.getByRole('button', { name: 'Place the hold' }).click()
  await page.getByRole('grid', { name: 'holds' }).getByText(`Case ${RUN}`).click()
  await hold.getByRole('button', { name: 'Release' }).click()
  const asked = page.getByRole('dialog')
  await asked.getByLabel('Reason').fill('settled')
  await asked.getByLabel(/^Type/).fill(`Case ${RUN}`)
  await asked.getByRole('button', { name: 'Release the hold' }).click()
  await page.getByRole('grid', { name: 'holds' }).getByText('released', { exact: true }).first().waitFor(PATIENCE)

  await page.goto(`${BASE}/retention?tab=erasures&open=new`)
  const erasure = page.getByRole('complementary', { name: 'Erasure' })
  await erasure.getByRole('combobox', { name: 'Events to erase' }).fill(`user.name: "${ACTOR}"`)
  await erasure.getByLabel('Reason').fill('request 2026-17')
  await erasure.getByRole('button', { name: 'Count, and ask for approval' }).click()
  await erasure.getByText('another person has to approve it').waitFor(PATIENCE)
  await erasure.getByText('Some of the events').waitFor(PATIENCE)
  await erasure.getByRole('button', { name: 'Withdraw…' }).click()
  await page.getByRole('dialog').getByLabel('Reason').fill('only a test')
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click()
  await erasure.getByText(/^refused by/).waitFor(PATIENCE)
})

test('a master key is made, a backup is encrypted to it, and a drill proves that the shares open it', async () => {
  await page.goto(`${BASE}/backups`)
  await page.getByRole('heading', { level: 1, name: 'Backups' }).waitFor(PATIENCE)
  await page.getByText('No master key yet').waitFor()
  await page.getByRole('button', { name: 'Make a master key' }).click()
  const panel = page.getByRole('complementary', { name: 'Master key' })
  await panel.getByLabel('People').fill('3')
  await panel.getByLabel('Needed to open').fill('2')
  await panel.getByRole('button', { name: 'Make the key' }).click()
  await panel.getByRole('article').nth(2).waitFor()
  const shares = await panel.getByRole('article').locator('pre').allInnerTexts()
  assert.equal(shares.length, 3)
  await shot('backups-shares')
  const use = panel.getByRole('button', { name: 'Use this key' })
  await panel.getByLabel('Type one of them back').fill('041064 nonsense')
  assert.ok(await use.isDisabled())
  await panel.getByLabel('Type one of them back').fill((shares[1] ?? '').toUpperCase())
  await use.click()
  await page.getByText('No backup yet').waitFor()

  await page.getByRole('button', { name: 'Back up now' }).click()
  await page.getByRole('menuitem', { name: /^Full/ }).click()
  const row = page.getByRole('grid', { name: 'backups' }).getByRole('row').nth(1)
  await row.getByText('done').waitFor(PATIENCE)
  const [saved] = await Promise.all([page.waitForEvent('download'), row.getByRole('link', { name: 'Download' }).click()])
  assert.equal((await readFile(await saved.path())).subarray(0, 21).toString(), 'age-encryption.org/v1')

  await row.click()
  const card = page.getByRole('complementary', { name: 'Backup', exact: true })
  await card.getByRole('button', { name: 'Start a drill' }).click()
  await card.getByLabel('Shares').fill(shares[0] ?? '')
  await card.getByRole('button', { name: 'Prove it' }).click()
  await card.getByText('1 of 2 needed shares').first().waitFor()
  await shot('backups-drill-refused')
  await card.getByLabel('Shares').fill(`${shares[0] ?? ''}\n\n${shares[2] ?? ''}`)
  await card.getByRole('button', { name: 'Prove it' }).click()
  await card.getByText('The shares opened it').waitFor(PATIENCE)
  await shot('backups-drilled')
})

test('one raw line becomes a working mapping, and what is sent becomes an event', async () => {
  await page.goto(`${BASE}/mappings`)
  await page.getByRole('link', { name: 'New mapping' }).click()
  await page.getByLabel('Name').fill(PRODUCT)
  await page.getByLabel('One raw line').fill(JSON.stringify({ when: '2026-11-20T08:00:00Z', who: ACTOR, client_ip: '192.0.2.7:51000', what: 'passed', gate: 'north' }))
  await page.getByLabel('The program to start from').getByText('.native.who').waitFor(PATIENCE)
  await page.getByText('Without a mapping of its own').waitFor()
  await page.getByRole('button', { name: 'Go on in the editor' }).click()
  await page.getByRole('region', { name: 'Result' }).getByText('Becomes 1 event').waitFor(PATIENCE)
  await axe('the editor')

  // A mistake is marked where it is, with what to do; taken back, the event is there again.
  const program = page.getByRole('textbox', { name: 'Program' })
  await program.click()
  await page.keyboard.press('Control+End')
  await page.keyboard.type('\n.message = nonsense(.native.gate)')
  await page.getByRole('region', { name: 'Result' }).getByText(/^line \d+, column \d+/).first().waitFor(PATIENCE)
  await page.locator('.cm-lint-marker-error').first().waitFor(PATIENCE)
  for (let n = 0; n < 34; n++) await page.keyboard.press('Backspace')
  await page.keyboard.type('\n.entity.name = te')
  await page.getByRole('option', { name: /^text/ }).first().waitFor()
  // The editor takes no Enter for a choice that came up a moment ago.
  await page.waitForTimeout(300)
  await page.keyboard.press('Enter')
  await page.keyboard.type('.native.gate')
  await page.getByRole('region', { name: 'Result' }).getByText('"north"').waitFor(PATIENCE)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+s')
  await page.getByText('Mapping saved').waitFor(PATIENCE)
  await page.getByRole('heading', { level: 1, name: `Mapping ${PRODUCT}` }).waitFor(PATIENCE)

  await sendRaw(JSON.stringify({ when: new Date().toISOString(), who: ACTOR, client_ip: '192.0.2.9', what: 'passed', gate: 'south' }))
  await page.goto(`${BASE}/events?from=now-7d&to=now&filter=${encodeURIComponent(`event.action: ${ACTION}`)}`)
  await rows().filter({ hasText: 'south' }).or(rows().filter({ hasText: ACTOR })).first().waitFor(PATIENCE)
})

test('what is set aside is found by its kind, the mapping is mended, and a replay makes events of it', async () => {
  const told = await sendRaw(['{"who":"ada", "gate":', '{"who":"bola", "gate":', 'no record at all 17', 'no record at all 18'].join('\n'))
  assert.equal(told.accepted, 0)
  await page.goto(`${BASE}/set-aside`)
  const groups = page.getByRole('grid', { name: 'set-aside-groups' })
  await groups.getByRole('row').filter({ hasText: PRODUCT }).first().waitFor(PATIENCE)
  await axe('set aside')
  await groups.getByRole('row').filter({ hasText: PRODUCT }).filter({ hasText: 'no record at all' }).click()
  const records = page.getByRole('grid', { name: 'set-aside', exact: true })
  await records.getByText('no record at all 18').first().waitFor(PATIENCE)
  await axe('a group')
  await records.getByText('no record at all 17').first().click()
  const record = page.getByRole('complementary', { name: 'Record' })
  await record.getByText('Bytes', { exact: true }).click()
  await record.getByText('no record at all').first().waitFor()
  await page.keyboard.press('Escape')
  await record.waitFor({ state: 'detached' })
  const group = page.url()

  await page.getByRole('link', { name: 'Mend the mapping' }).click()
  await page.getByRole('region', { name: 'Result' }).getByText('Would be set aside').waitFor(PATIENCE)
  const program = page.getByRole('textbox', { name: 'Program' })
  await program.click()
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('End')
  await page.keyboard.type(', text')
  await page.getByRole('region', { name: 'Result' }).getByText('Becomes 1 event').waitFor(PATIENCE)
  await page.getByRole('tab', { name: 'What would change' }).click()
  await page.getByRole('button', { name: /^Read the last/ }).click()
  await page.getByText(/the same/).waitFor(PATIENCE)
  await page.getByRole('tab', { name: 'Versions' }).click()
  await page.getByRole('button', { name: 'Compare' }).first().click()
  await page.getByLabel(/^From version 1 to the draft/).waitFor()
  await axe('versions')
  await page.getByRole('button', { name: 'Save as version 2' }).click()
  await page.getByText('Mapping saved').waitFor(PATIENCE)

  await page.goto(group)
  await page.getByRole('button', { name: /^Replay 2/ }).click()
  await page.getByText('2 became events').or(page.locator('strong', { hasText: /^2$/ })).first().waitFor(PATIENCE)
  await page.getByRole('heading', { name: /^Replay of a group/ }).waitFor()
  await page.getByText('done', { exact: true }).first().waitFor(PATIENCE)

  // What is left is given up, with a reason.
  await page.goto(`${BASE}/set-aside`)
  await groups.getByRole('row').filter({ hasText: PRODUCT }).first().click()
  await page.getByRole('button', { name: /^Discard 2/ }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Reason').fill('cut off by a test')
  await dialog.getByRole('button', { name: 'Discard 2' }).click()
  await page.getByText('2 records discarded').waitFor(PATIENCE)
})

test('a source, an application with a device, and every new page can be used by everybody', async () => {
  await page.goto(`${BASE}/sources/${PRODUCT}`)
  await page.getByRole('heading', { level: 1 }).waitFor(PATIENCE)
  for (const tab of ['Health', 'Gaps', 'Set aside', 'Left out', 'How to send', 'Settings']) {
    await page.getByRole('tab', { name: new RegExp(`^${tab}`) }).click()
    await page.waitForTimeout(300)
    await axe(`the tab ${tab} of a source`)
  }
  await page.goto(`${BASE}/applications`)
  await page.getByRole('button', { name: 'New application' }).first().click()
  await page.getByRole('dialog').getByLabel('Name').fill(`payroll-${RUN}`)
  await page.getByRole('dialog').getByRole('button', { name: 'Make the application' }).click()
  await page.getByRole('heading', { level: 1, name: `payroll-${RUN}` }).waitFor(PATIENCE)
  await page.getByRole('button', { name: 'Enrol a device' }).first().click()
  await page.getByRole('dialog').getByRole('button', { name: 'Make the token' }).click()
  await page.getByRole('dialog').getByText(/belfry enroll .*ble_/).waitFor(PATIENCE)
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await page.getByText('Tokens that wait for their device').waitFor(PATIENCE)
  await axe('an application')
  for (const path of ['/sources', '/mappings', '/mappings/new', '/applications']) {
    await page.goto(BASE + path)
    await page.getByRole('heading', { level: 1 }).waitFor(PATIENCE)
    await page.waitForTimeout(500)
    await axe(path)
  }
})

test('nothing was refused by the content policy and no script failed', () => {
  assert.deepEqual(heard, [])
})
