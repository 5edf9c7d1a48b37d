import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { configs, scratchFolder, start } from '../support/cli.js'
import { chromiumPath, describeUnless, noChromium } from '../support/requirements.js'
import { writeRun } from '../support/run-folder.js'
import { startWatch } from '../support/watch.js'

const scratch = scratchFolder()

describeUnless(noChromium, 'the page of eigenae watch in Chromium', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath })
  })

  afterAll(() => browser?.close())

  /** Opens the page. Returns it with all errors and all requests to other addresses. */
  async function open(address: string, width = 1280) {
    const context = await browser.newContext({ viewport: { width, height: 900 } })
    const page = await context.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('request', (asked) => asked.url().startsWith(address) || problems.push(asked.url().slice(0, 80)))
    await page.goto(address)
    await page.waitForSelector('body[data-ready]')
    return { page, problems }
  }

  it('follows a real sweep from an empty folder to its end', async () => {
    const folder = scratch('sweep')
    mkdirSync(folder)
    const { address, end } = await startWatch([folder])
    const { page, problems } = await open(address)
    await expect.poll(() => page.locator('#counts').textContent()).toBe('no runs yet')

    writeFileSync(
      scratch('broken.json'),
      JSON.stringify({ name: 'broken', data: { source: scratch('nowhere') } }),
    )
    const variants = {
      none: join(configs, 'baseline.json'),
      norm: join(configs, 'batch-norm.json'),
      broken: scratch('broken.json'),
    }
    writeFileSync(scratch('sweep-file.json'), JSON.stringify({ name: 'live-sweep', variants, seeds: [0, 1] }))
    const settings = ['--set', 'data.limit=2000', '--set', 'train.epochs=5', '--jobs', '1']
    const sweep = start(['sweep', '--config', scratch('sweep-file.json'), '--out', folder, ...settings])

    // The chart of the first run is drawn while others have not begun.
    await page.waitForSelector('#table-main')
    await page.locator('#pictures').scrollIntoViewIfNeeded()
    await page.waitForSelector('#chart-loss svg .mark-line path')
    expect(await page.locator('#counts').textContent()).toContain('waiting')
    expect(await page.title()).toMatch(/^\d\/6 live-sweep – eigenae$/)
    expect(await page.locator('#sweeps').textContent()).toBe('the sweep is running')

    expect((await sweep.finished).code).toBe(1)
    await expect.poll(() => page.locator('#counts').textContent()).toBe('4 completed · 2 failed · 6 in all')
    await expect
      .poll(() => page.locator('#table-failures td:nth-child(3)').allTextContents())
      .toEqual([
        expect.stringContaining(`${scratch('nowhere')}`),
        expect.stringContaining(`${scratch('nowhere')}`),
      ])
    await expect.poll(() => counts(page)).toEqual(['2', '2'])
    await expect
      .poll(() => page.locator('#chart-loss path[aria-roledescription="point"]').count())
      .toBe(2 * 2 * 5)

    expect(problems).toEqual([])
    await end('SIGINT')
    await expect.poll(() => page.locator('#connection').textContent()).toContain('Not connected')
  })

  it('keeps the order, the filter and the axes that the reader chose when runs change', async () => {
    const folder = scratch('kept')
    for (const seed of [0, 1, 2])
      writeRun(join(folder, 'none', `seed-${seed}`), { seed, testMse: 0.03 - seed / 1000 })
    const { address, end } = await startWatch([folder])
    const { page, problems } = await open(address)
    await page.waitForSelector('body[data-reports]')
    const names = () => page.locator('#table-watched tr[data-id] td:first-child').allTextContents()
    await page.locator('#table-watched th button', { hasText: 'test MSE ↓' }).click()
    await expect.poll(names).toEqual(['none/seed-2', 'none/seed-1', 'none/seed-0'])
    await page.locator('#axis-y').selectOption('effective_rank')
    await page.locator('#search').fill('none')
    const spectra = page.locator('#report details', {
      has: page.locator('summary', { hasText: /^Spectrum by epoch/ }),
    })
    await spectra.locator('summary').click()

    writeRun(join(folder, 'none', 'seed-3'), { seed: 3, testMse: 0.0285 })
    writeRun(join(folder, 'norm', 'seed-0'), { seed: 0, testMse: 0.02, batchNorm: 'all' })
    await expect.poll(() => page.locator('#shown').textContent()).toBe('4 of 5 runs')
    expect(await names()).toEqual(['none/seed-2', 'none/seed-3', 'none/seed-1', 'none/seed-0'])
    await expect.poll(() => counts(page)).toEqual(['4', '1'])
    expect(await page.locator('#axis-y').inputValue()).toBe('effective_rank')
    expect(await spectra.getAttribute('open')).not.toBeNull()
    expect(problems).toEqual([])
    await end('SIGINT')
  })

  it('shows names of runs that look like markup as text, and fits on a phone', async () => {
    const folder = scratch('evil')
    writeRun(join(folder, '<img src=x onerror=hit()>', 'seed-0'), { name: 'evil' })
    writeRun(join(folder, 'b', 'seed-0'), { status: 'failed', batchNorm: 'all' })
    const { address, end } = await startWatch([folder])
    const { page, problems } = await open(address, 400)
    await page.waitForSelector('body[data-reports]')
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.locator('#table-watched').textContent()).toContain('<img src=x onerror=hit()>/seed-0')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400)
    const table = "document.getElementById('table-failures')"
    expect(await page.evaluate(`${table}.scrollWidth <= ${table}.clientWidth`)).toBe(true)
    expect(problems).toEqual([])
    await end('SIGINT')
  })

  it('has only the rows in view as elements, and all of them by scrolling', async () => {
    const folder = scratch('many')
    for (let seed = 0; seed < 400; seed++) writeRun(join(folder, 'none', `seed-${seed}`), { seed, epochs: 1 })
    const { address, end } = await startWatch([folder])
    const { page } = await open(address)
    await expect.poll(() => page.locator('#shown').textContent()).toBe('400 runs')
    expect(await page.locator('#table-watched tr[data-id]').count()).toBeLessThan(100)
    await page.evaluate("document.getElementById('table-watched').scrollTop = 1e9")
    await page.waitForSelector('#table-watched tr[data-id="none/seed-399"]')
    await end('SIGINT')
  })
})

/** Returns the number of runs of each arm in the main table. */
async function counts(page: Page): Promise<readonly string[]> {
  const titles = await page.locator('#table-main th').allTextContents()
  return page.locator(`#table-main tbody tr td:nth-child(${titles.indexOf('n') + 1})`).allTextContents()
}
