import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { comparisonPictures } from '../src/plots/comparison.js'
import { textWidth } from '../src/plots/font.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const missing = !existsSync(executablePath)
if (missing) {
  const reason = `no Chromium at ${executablePath} (Debian: apt-get install chromium; or set CHROMIUM)`
  if (process.env.CI) throw new Error(reason)
  console.warn(`tests/report.test.ts is skipped: ${reason}`)
}

const scratch = scratchFolder()
const evil = '<script>window.hit=1</script>'
let browser: Browser
let address: string

describe.skipIf(missing)('report.html in Chromium', () => {
  beforeAll(async () => {
    const eigen = { kind: 'top-k', k: 2, weight: 1, center: false }
    for (const seed of [0, 1]) {
      writeRun(scratch('none', `seed-${seed}`), { seed, testMse: 0.026 + 0.001 * seed })
      writeRun(scratch('"><img src=x onerror=hit()>', `seed-${seed}`), {
        seed,
        testMse: 0.03,
        eigen,
        name: evil,
      })
      writeRun(scratch('<script>', `seed-${seed}`), { seed, testMse: 0.031, eigen, name: evil })
    }
    const { code, stderr } = await eigenae(['compare', '.', '--baseline', 'none', '--out', 'out'], {
      cwd: scratch(),
    })
    expect(stderr).not.toContain('warning')
    expect(code).toBe(0)
    address = pathToFileURL(scratch('out', 'report.html')).href
    browser = await chromium.launch({ executablePath })
  })

  afterAll(() => browser?.close())

  /** Opens the page from its file. Returns it with all errors and requests. */
  async function open(width: number, colorScheme: 'light' | 'dark') {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme })
    const page = await context.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('request', (request) => request.url() !== address && problems.push(request.url().slice(0, 80)))
    await page.goto(address)
    await page.waitForSelector('body[data-ready] #chart-loss svg')
    return { page, problems }
  }

  it.each([
    [1280, 'light'],
    [1280, 'dark'],
    [400, 'light'],
    [400, 'dark'],
  ] as const)('makes no requests and fits at %d pixels, %s', async (width, scheme) => {
    const { page, problems } = await open(width, scheme)
    expect(await page.locator('.chart svg').count()).toBe(comparisonPictures.length + 1)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    const background = await page.evaluate('getComputedStyle(document.body).backgroundColor')
    expect(background).toBe(scheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(22, 24, 28)')
    expect(problems).toEqual([])
  })

  it('keeps names that look like markup as text', async () => {
    const { page } = await open(1280, 'light')
    expect(await page.evaluate('window.hit')).toBeUndefined()
    expect(await page.locator('img').count()).toBe(0)
    await expect(page.locator('.arms').textContent()).resolves.toContain('<script>: eigen=top-k')
    const source = await readFile(scratch('out', 'report.html'), 'utf8')
    expect(source).not.toContain(evil)
  })

  it('shows the values under the pointer', async () => {
    const { page, problems } = await open(1280, 'light')
    // The arms' marks lie on each other, the last one on top.
    await page
      .locator('#chart-spectrum svg path[aria-roledescription="point"][aria-label^="rank: 1;"]')
      .last()
      .hover()
    await page.waitForSelector('#tooltip:not([hidden])')
    await expect(page.locator('#tooltip').textContent()).resolves.toMatch(/rank 1.*mean 0\.4000/)
    await page.mouse.move(2, 2)
    await page.waitForSelector('#tooltip[hidden]', { state: 'attached' })
    expect(problems).toEqual([])
  })

  it('hides an arm when its name is clicked, and shows it on the next click', async () => {
    const { page } = await open(1280, 'light')
    const points = () => marks(page, '#chart-loss svg path[aria-roledescription="point"]')
    const before = await points()
    const button = page.locator('.arms button').nth(1)
    await button.click()
    await expect.poll(points).toBe((before * 2) / 3)
    expect(await button.getAttribute('aria-pressed')).toBe('false')
    await button.click()
    await expect.poll(points).toBe(before)
  })

  it('comes with pictures that a browser draws in their own font', async () => {
    const page = await browser.newPage()
    await page.goto(pathToFileURL(scratch('out', 'loss.svg')).href)
    await page.evaluate('document.fonts.ready')
    const faces = await page.evaluate(
      '[...document.fonts].map(({ family, weight, status }) => [family, weight, status])',
    )
    expect(faces).toEqual([
      ['Source Sans 3', '400', 'loaded'],
      ['Source Sans 3', '600', 'loaded'],
    ])
    const texts: readonly [string, string, string, number][] = await page.evaluate(
      "[...document.querySelectorAll('text')].map((each) => [each.textContent, getComputedStyle(each).fontSize, getComputedStyle(each).fontWeight, each.getComputedTextLength()])",
    )
    expect(texts.length).toBeGreaterThan(20)
    // Kerning is left out of the embedded font.
    for (const [text, size, weight, width] of texts)
      expect(
        width / textWidth(text, Number.parseFloat(size), weight === '600' ? 600 : 400),
        text,
      ).toBeCloseTo(1, 1)
  })

  it('shows the commands and configs that reproduce every run', async () => {
    const { page } = await open(1280, 'light')
    const text = await page.locator('body').textContent()
    expect(text).toContain('eigenae compare . --baseline none --out out')
    expect(text).toContain("eigenae train --config '<script>window.hit=1</script>.json' --seed 1")
    expect(text).toContain('"learningRate": 0.005')
  })
})

function marks(page: Page, selector: string): Promise<number> {
  return page.locator(selector).count()
}
