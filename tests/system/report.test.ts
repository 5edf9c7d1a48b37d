import { existsSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { comparisonPictures } from '../../src/plots/comparison-pictures.js'
import { textWidth } from '../../src/plots/font.js'
import { planFormat } from '../../src/runs/sweep-plan.js'
import { eigenae, scratchFolder } from '../support/cli.js'
import { chromiumPath, describeUnless, noChromium } from '../support/requirements.js'
import { writeRun } from '../support/run-folder.js'
import { writeJson } from '../support/sweeps.js'

const scratch = scratchFolder()
const many = scratchFolder()
const evil = '<script>window.hit=1</script>'
const notes = `# The finding

**Top-k** is worse, see [the paper](https://example.org/paper) and ![a dot](dot.png).

| arm | MSE |
|-----|----:|
| none | 0.0265 |

${evil} <img src=x onerror=hit()> [click](javascript:hit()) [file](file:///etc/passwd)
`
const dot = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII='
const compare = (...args: readonly string[]) => eigenae(['compare', ...args], { cwd: scratch() })
let browser: Browser
let address: string

describeUnless(noChromium, 'report.html in Chromium', () => {
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
    writeFileSync(scratch('notes.md'), notes)
    writeFileSync(scratch('dot.png'), Buffer.from(dot, 'base64'))
    const { code, stderr } = await compare('.', '--baseline', 'none', '--notes', 'notes.md', '--out', 'out')
    expect(stderr).not.toContain('warning')
    expect(code).toBe(0)
    address = pathToFileURL(scratch('out', 'report.html')).href
    browser = await chromium.launch({ executablePath: chromiumPath })
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
    // One for the chosen axes and one for the trade-off of the arms, without the training and the spectra by epoch.
    expect(await page.locator('.chart svg').count()).toBe(comparisonPictures.length + 2 - 2)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    const background = await page.evaluate('getComputedStyle(document.body).backgroundColor')
    expect(background).toBe(scheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(22, 24, 28)')
    expect(problems).toEqual([])
  })

  it('draws a picture of a closed part when it is opened', async () => {
    const { page, problems } = await open(1280, 'light')
    expect(await page.locator('#chart-evolution svg').count()).toBe(0)
    await page.locator('summary', { hasText: /^Spectrum by epoch/ }).click()
    await page.waitForSelector('#chart-evolution svg')
    expect(problems).toEqual([])
  })

  it('has 18 arms on at most 6,000 pixels, with the legend on a line', async () => {
    const grid = {
      'loss.eigen.k': [1, 2],
      'loss.eigen.weight': [0.1, 0.3, 1],
      'optimizer.learningRate': [0.001, 0.003, 0.01],
    }
    const runs: string[] = []
    for (const k of grid['loss.eigen.k'])
      for (const weight of grid['loss.eigen.weight'])
        for (const learningRate of grid['optimizer.learningRate'])
          for (const seed of [0, 1]) {
            const arm = `top-k,loss.eigen.k=${k},loss.eigen.weight=${weight},optimizer.learningRate=${learningRate}`
            const eigen = { kind: 'top-k', k, weight, center: false }
            runs.push(`${arm}/seed-${seed}`)
            writeRun(many('runs', runs.at(-1)!), {
              seed,
              eigen,
              learningRate,
              testMse: weight / 20 + seed / 1000,
            })
          }
    writeJson(many('runs', 'sweep.json'), { format: planFormat, name: 'many', grid, runs })
    expect((await compare(many('runs'), '--out', many('report'))).code).toBe(0)
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    await page.goto(pathToFileURL(many('report', 'report.html')).href)
    await page.waitForSelector('body[data-ready] #chart-loss svg')
    expect(await page.locator('#chart-effects').count()).toBe(1)
    expect(await page.evaluate('document.documentElement.scrollHeight')).toBeLessThanOrEqual(6000)
    expect((await page.locator('.arms').boundingBox())!.height).toBeLessThan(70)
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 })
      for (const [table, rows] of [
        ['#table-main', 18],
        ['#table-metric', 18],
        ['#table-runs', 36],
      ] as const) {
        const names = page.locator(`${table} td:first-child`)
        await expect.poll(async () => (await names.first().textContent())?.length).toBeLessThanOrEqual(44)
        expect(new Set(await names.allTextContents()).size).toBe(rows)
        const cut = names.evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth))
        expect(await cut).toEqual([])
      }
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    }
  })

  it('keeps names that look like markup as text', async () => {
    const { page } = await open(1280, 'light')
    expect(await page.evaluate('window.hit')).toBeUndefined()
    expect(await page.locator('img:not(.notes img)').count()).toBe(0)
    await expect(page.locator('.arms').textContent()).resolves.toContain('<script>')
    await expect(page.locator('#table-main').textContent()).resolves.toContain('"><img src=x onerror=hit()>')
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

  it('begins with the notes, whose HTML is text and whose links lead only to web pages', async () => {
    const { page, problems } = await open(1280, 'light')
    const text = page.locator('.notes')
    await expect(text.locator('h2').textContent()).resolves.toBe('The finding')
    await expect(text.locator('td').allTextContents()).resolves.toEqual(['none', '0.0265'])
    const links = await text.locator('a').evaluateAll((all) => all.map((link) => link.getAttribute('href')))
    expect(links).toEqual(['https://example.org/paper'])
    await expect(text.textContent()).resolves.toContain('<img src=x onerror=hit()> [click](javascript:hit())')
    const width = await text
      .locator('img')
      .evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth)
    expect(width).toBe(1)
    expect(await page.evaluate('window.hit')).toBeUndefined()
    expect(problems).toEqual([])
  })

  it('begins with the table that compare prints, marks and notes included, and explains each arm and its eigen loss', async () => {
    const { page } = await open(1280, 'light')
    const { stdout } = await compare('.', '--baseline', 'none')
    const words = (text: string) => text.replace(/\s+/g, ' ').trim()
    const [printed = '', ...notes] = stdout.split('\n\n')
    const lines = printed.split('\n').map(words)
    const rows = await page.locator('#table-main tbody tr').all()
    const shown = await Promise.all(rows.map((row) => row.locator('td').allTextContents()))
    expect(shown.map((cells) => words(cells.join(' ')))).toEqual(lines.slice(-rows.length))
    // compare breaks its titles into lines.
    const sorted = (titles: readonly string[]) => words(titles.join(' ')).split(' ').sort()
    const titles = await page.locator('#table-main th').allTextContents()
    expect(sorted(titles.map((title) => title.replace(/ [↓↑]$/, '')))).toEqual(
      sorted(lines.slice(0, -rows.length)),
    )
    expect(printed).toMatch(/none †.*\*/)
    const texts = await page.locator('#notes-main li').allTextContents()
    const formula = texts.at(-1)
    expect(formula).toMatch(/^Eigen loss of .*: sum\(first\(sigma, k\)\) \/ sum\(sigma\), k = 2$/)
    expect(`${words(texts.slice(0, -1).join(' '))} Differences, p-values and effect sizes: --details.`).toBe(
      words(notes.join(' ')),
    )
    expect(await page.locator('#table-main td').nth(0).getAttribute('title')).toBe('none\neigen=none')
  })

  it('sorts the main table by a click on a title, and back by the next', async () => {
    const { page } = await open(1280, 'light')
    const title = page.locator('#table-main th', { hasText: /^test MSE [↑↓]/ })
    const means = async () => {
      const titles = await page.locator('#table-main th').allTextContents()
      const place = titles.findIndex((text) => text.startsWith('test MSE')) + 1
      const cells = await page.locator(`#table-main tbody tr td:nth-child(${place})`).allTextContents()
      return cells.map((cell) => Number.parseFloat(cell))
    }
    await title.locator('button').click()
    expect(await means()).toEqual([0.0265, 0.03, 0.031])
    expect(await title.getAttribute('aria-sort')).toBe('ascending')
    await title.locator('button').click()
    expect(await means()).toEqual([0.031, 0.03, 0.0265])
  })

  it('shows all numbers of the chosen metric', async () => {
    const { page } = await open(1280, 'light')
    await page.locator('#metric').selectOption('table-effective_rank')
    const cells = await page.locator('#table-metric tbody tr').first().locator('td').allTextContents()
    expect(cells.slice(1, 3)).toEqual(['2', '3.00 ± 0.00'])
  })

  it('draws any metric against any other, on logarithmic axes', async () => {
    const { page, problems } = await open(1280, 'light')
    const chart = page.locator('#chart-axes svg')
    const titles = () => chart.locator('.role-axis-title text').allTextContents()
    expect(await titles()).toEqual(['epoch', 'test MSE, clean input (test_mse)'])
    await page.locator('#axis-y').selectOption('linear_probe_accuracy')
    await page.locator('#axis-x').selectOption('test_denoise_mse')
    await page.locator('#axis-x-log').check()
    await expect
      .poll(titles)
      .toEqual(['test MSE, noisy input (test_denoise_mse)', 'linear probe accuracy (linear_probe_accuracy)'])
    await expect.poll(() => chart.locator('[aria-label*="log scale"]').count()).toBe(1)
    expect(await chart.locator('path[aria-roledescription="point"]').count()).toBe(6)
    expect(problems).toEqual([])
  })

  it.each(['svg', 'png'] as const)(
    'downloads a picture as %s, on white, with its title and the names of the arms',
    async (format) => {
      const { page } = await open(1280, 'dark')
      const file = await downloaded(page, `[data-chart="loss"][data-download="${format}"]`)
      expect(file.name).toBe(`loss.${format}`)
      if (format === 'png') return expect(file.bytes.subarray(1, 4).toString()).toBe('PNG')
      const svg = file.bytes.toString()
      const parts = ['Loss by epoch', 'fill="#ffffff"', '&lt;script&gt;'].map((part) => svg.includes(part))
      expect(parts).toEqual([true, true, true])
    },
  )

  it('downloads the same comparison.csv as the file beside it', async () => {
    const { page } = await open(1280, 'light')
    const file = await downloaded(page, '#csv')
    expect(file.name).toBe('comparison.csv')
    expect(file.bytes).toEqual(await readFile(scratch('out', 'comparison.csv')))
  })

  it('comes with pictures that a browser draws in their own font, as wide as they were measured', async () => {
    const page = await browser.newPage()
    const pictures = (await readdir(scratch('out'))).filter((name) => name.endsWith('.svg'))
    expect(pictures).toEqual(expect.arrayContaining(['evolution.svg', 'loss.svg', 'spectrum.svg']))
    for (const picture of pictures) {
      await page.goto(pathToFileURL(scratch('out', picture)).href)
      await page.evaluate('document.fonts.ready')
      const faces = await page.evaluate(
        '[...document.fonts].map(({ family, weight, status }) => [family, weight, status])',
      )
      expect(faces, picture).toEqual([
        ['Source Sans 3', '400', 'loaded'],
        ['Source Sans 3', '600', 'loaded'],
      ])
      const texts: readonly [string, string, string, number][] = await page.evaluate(
        "[...document.querySelectorAll('text')].map((each) => [each.textContent, getComputedStyle(each).fontSize, getComputedStyle(each).fontWeight, each.getComputedTextLength()])",
      )
      expect(texts.length, picture).toBeGreaterThan(10)
      for (const [text, size, weight, width] of texts)
        expect(
          width / textWidth(text, Number.parseFloat(size), weight === '600' ? 600 : 400),
          `${picture}: ${text}`,
        ).toBeCloseTo(1, 2)
    }
  })

  it('shows the commands and configs that reproduce every run', async () => {
    const { page } = await open(1280, 'light')
    const text = await page.locator('body').textContent()
    expect(text).toContain('eigenae compare . --baseline none --notes notes.md --out out')
    expect(text).toContain("eigenae train --config '<script>window.hit=1</script>.json' --seed 1")
    expect(text).toContain('"learningRate": 0.005')
  })
})

/** Clicks a button and returns the file that the browser saves. */
async function downloaded(
  page: Page,
  selector: string,
): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator(selector).click()])
  return { name: download.suggestedFilename(), bytes: await readFile((await download.path())!) }
}

function marks(page: Page, selector: string): Promise<number> {
  return page.locator(selector).count()
}

describe('compare --notes', () => {
  it('refuses a picture from the network, which the report may not load', async () => {
    writeRun(scratch('alone', 'seed-0'))
    writeFileSync(scratch('far.md'), '![far](https://example.org/far.png)')
    const { code, stderr } = await compare('alone', '--notes', 'far.md', '--out', 'far')
    expect(code).toBe(2)
    expect(stderr).toContain('eigenae: https://example.org/far.png: is not a local picture')
    expect(existsSync(scratch('far'))).toBe(false)
  })

  it('requires --out', async () => {
    const { code, stderr } = await compare('alone', '--notes', 'far.md')
    expect(code).toBe(2)
    expect(stderr).toContain('--notes: requires --out')
  })
})

describe('the title of report.html', () => {
  it("is the sweep's name", async () => {
    for (const arm of ['a', 'b']) writeRun(scratch('grid', arm, 'seed-0'))
    writeFileSync(
      scratch('grid', 'sweep.json'),
      JSON.stringify({ format: 'eigenae-sweep-1', name: 'the-sweep', runs: ['a/seed-0', 'b/seed-0'] }),
    )
    await compare('grid', '--out', 'swept')
    const page = await readFile(scratch('swept', 'report.html'), 'utf8')
    expect(page).toContain('<title>the-sweep – eigenae</title>')
    expect(page).toMatch(
      /2 completed runs in 2 arms, trained 2026-11-24\.<.*On here: cpu \(native scalar\), eigenae 0\.1\.0, Node 20\.0\.0/,
    )
  })
})
