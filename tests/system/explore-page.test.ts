import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadDataSet } from '../../src/data/load.js'
import { evaluationNoise } from '../../src/model/random.js'
import { eigenae, scratchFolder } from '../support/cli.js'
import { drawn, lowestPoint, shown, stripChanges } from '../support/explore-page.js'
import {
  decodedByEngine,
  deviations,
  killDimensions,
  trainSmall,
  withModel,
} from '../support/explored-runs.js'
import { chromiumPath, describeUnless, noChromium } from '../support/requirements.js'

const scratch = scratchFolder()
const explore = (...args: readonly string[]) => eigenae(['explore', ...args], { cwd: scratch() })
const pixels = 784
const shownImages = 200
const folders = [scratch('none', 'seed-0'), scratch('<i>norm', 'seed-0')]

describeUnless(noChromium, 'the page of eigenae explore in Chromium', () => {
  let browser: Browser
  let page: Page
  let images: Uint8Array
  let problems: string[]

  beforeAll(async () => {
    await trainSmall(scratch, ['none', '<i>norm', 'latent-64', 'latent-1'])
    await killDimensions(folders[0]!, [2, 5])
    const written = await Promise.all([
      explore('none', '<i>norm', '--images', String(shownImages), '--out', 'two.html'),
      explore('latent-64', 'latent-1', '--images', String(shownImages), '--out', 'odd.html'),
    ])
    expect(written.map(({ code }) => code)).toEqual([0, 0])
    browser = await chromium.launch({ executablePath: chromiumPath })
    page = await browser.newPage()
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('request', (request) => problems.push(request.url().slice(0, 80)))
    const { test } = await loadDataSet('mnist')
    images = test.images.pixels.subarray(0, shownImages * pixels)
  })

  afterAll(() => browser?.close())

  /** Loads the page from its file. From then on, `problems` collects all errors and requests. */
  async function open(file = 'two.html') {
    const address = pathToFileURL(scratch(file)).href
    problems = []
    await page.setViewportSize({ width: 1280, height: 900 })
    await page.emulateMedia({ colorScheme: 'light' })
    await page.goto(address)
    await page.waitForSelector('body[data-ready]')
    // The plots are drawn in the next frame. The arrow keys need the positions of the points.
    await page.evaluate('new Promise((done) => requestAnimationFrame(done))')
    expect(problems).toEqual([address])
    problems = []
  }

  it.each(['two.html', 'odd.html'])(
    'makes no requests and fits, light and dark, wide and narrow: %s',
    async (file) => {
      await open(file)
      for (const [width, colorScheme, background] of [
        [1280, 'light', 'rgb(255, 255, 255)'],
        [1280, 'dark', 'rgb(22, 24, 28)'],
        [400, 'light', 'rgb(255, 255, 255)'],
        [400, 'dark', 'rgb(22, 24, 28)'],
      ] as const) {
        await page.setViewportSize({ width, height: 900 })
        await page.emulateMedia({ colorScheme })
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
        expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe(background)
        const widths = `['.run', '.scatter'].map((name) => document.querySelector(name).offsetWidth)`
        const [run, plot] = (await page.evaluate(widths)) as [number, number]
        expect(plot).toBe(run)
        // A corner of the digit's picture is as light or dark as the page.
        const corner = async () => (await drawn(page, '#clean'))[0]
        await expect.poll(corner).toBe(colorScheme === 'light' ? 0 : 1)
      }
      expect(problems).toEqual([])
    },
  )

  it('runs only its own script', async () => {
    await open()
    const policy = await page.locator('meta[http-equiv]').getAttribute('content')
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; img-src data:$/,
    )
    await page.evaluate(
      `document.body.append(Object.assign(document.createElement('script'), { text: 'window.hit = 1' }))`,
    )
    expect(await page.evaluate('window.hit')).toBeUndefined()
    expect(await page.locator('i').count()).toBe(0)
  })

  it('reconstructs like the engine at any noise', async () => {
    await open()
    for (const [key, deviation] of [
      [null, 0.2],
      ['Home', 0],
      ['End', 1],
    ] as const) {
      if (key !== null) await page.locator('#noise').press(key)
      const { input, runs } = await shown(page)
      const noise = evaluationNoise(0, pixels, deviation)
      const expected = noise.map((value, i) => value + images[i]! / 255)
      expect(farthest(input, expected)).toBeLessThan(1e-6)
      for (const [index, folder] of folders.entries()) {
        await withModel(folder, async (trainer) => {
          const noisy = Float32Array.from(input)
          expect(farthest(runs[index]!.embedding, await trainer.encode(noisy))).toBeLessThan(1e-4)
          expect(farthest(runs[index]!.picture, await trainer.reconstruct(noisy))).toBeLessThan(1e-5)
        })
      }
    }
  })

  it('decodes the positions of the sliders like the engine, in both networks or in one', async () => {
    await open()
    const before = await shown(page)
    await page.locator('#slider-0-0').press('End')
    const both = await shown(page)
    await page.locator('#together').uncheck()
    await page.locator('#slider-1-1').press('Home')
    const one = await shown(page)
    for (const [index, folder] of folders.entries()) {
      expect(farthest(both.runs[index]!.picture, before.runs[index]!.picture)).toBeGreaterThan(0.05)
      for (const { runs } of [both, one]) {
        const { embedding, picture } = runs[index]!
        expect(farthest(picture, await decodedByEngine(folder, embedding))).toBeLessThan(1e-5)
      }
      // A canvas holds bytes.
      expect(
        farthest(await drawn(page, `[data-run="${index}"] .picture`), one.runs[index]!.picture),
      ).toBeLessThan(0.51 / 255)
    }
    expect(await deviations(folders[0]!, images, both.runs[0]!.embedding, 0)).toBeCloseTo(3, 4)
    expect(await deviations(folders[1]!, images, one.runs[1]!.embedding, 0)).toBeCloseTo(3, 4)
    expect(await deviations(folders[1]!, images, one.runs[1]!.embedding, 1)).toBeCloseTo(-3, 4)
    expect(one.runs[0]).toEqual(both.runs[0])
    expect(farthest(one.runs[1]!.picture, both.runs[1]!.picture)).toBeGreaterThan(0.05)
    await page.locator('[data-run="1"] .reset').click()
    expect((await shown(page)).runs[1]).toEqual(before.runs[1])
    expect(problems).toEqual([])
  })

  it('changes nothing along a dead direction, nor in the pictures under its slider', async () => {
    await open()
    const dead = page.locator('[data-run="0"] .direction.dead label')
    expect(await dead.allTextContents()).toEqual(['5', '6'])
    expect(await page.locator('[data-run="1"] .dead').count()).toBe(0)
    await expect.poll(() => stripChanges(page, 1, 5)).toBe(true)
    await expect.poll(() => stripChanges(page, 0, 0)).toBe(true)
    expect(await stripChanges(page, 0, 5)).toBe(false)
    const before = await shown(page)
    await page.locator('#slider-0-5').press('Home')
    expect(await page.locator('#slider-0-5').inputValue()).toBe('-3')
    const after = await shown(page)
    expect(farthest(after.runs[0]!.picture, before.runs[0]!.picture)).toBeLessThan(1e-5)
    expect(farthest(after.runs[1]!.picture, before.runs[1]!.picture)).toBeGreaterThan(0.01)
  })

  it('chooses an image by a click on its point and by the keyboard', async () => {
    await open()
    const textOf = (selector: string) => page.locator(selector).textContent()
    const plot = page.locator('[data-run="1"] .scatter')
    expect(await textOf('#point-1')).toBe('Chosen: image 0, label 7')
    await plot.focus()
    await page.keyboard.press('ArrowRight')
    const [name] = /image \d+, label \d/.exec((await textOf('#point-1')) ?? '')!
    expect(name).not.toContain('image 0,')
    expect(await textOf('#image')).toBe('image 0, label 7')
    await page.keyboard.press('Enter')
    expect(await textOf('#image')).toBe(name)
    expect(await textOf('#point-0')).toBe(`Chosen: ${name}`)

    const { x, y } = await lowestPoint(page, 1)
    await page.mouse.move(x, y)
    const label = await textOf('#preview:not([hidden]) span')
    await page.mouse.click(x, y)
    expect(await textOf('#image')).toMatch(new RegExp(`label ${label}$`))
    expect(await textOf('#image')).not.toBe(name)
    expect(problems).toEqual([])
  })

  it('lets Tab reach every control in order', async () => {
    await open()
    const reached: string[] = []
    while (reached.filter((name) => name === 'scatter').length < 2 && reached.length < 60) {
      await page.keyboard.press('Tab')
      reached.push(
        (await page.evaluate('document.activeElement.id || document.activeElement.className')) as string,
      )
    }
    const sliders = (run: number) => Array.from({ length: 6 }, (_, direction) => `slider-${run}-${direction}`)
    const ofRun = (run: number) => ['mean', ...sliders(run), 'across', 'up', 'scatter']
    const named = reached.filter((name) => name !== '')
    expect(named).toEqual(['previous', 'next', 'noise', 'together', ...ofRun(0), ...ofRun(1)])
  })
})

function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}
