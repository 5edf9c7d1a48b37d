import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDataSet, type Split } from '../src/data/load.js'
import type { Trainer } from '../src/engines/engine.js'
import { evaluationNoise } from '../src/model/evaluation-noise.js'
import { layoutOf } from '../src/model/layout.js'
import { tensorValues } from '../src/model/state.js'
import { runFiles } from '../src/runs/files.js'
import { readWholeRun } from '../src/runs/read.js'
import { decodeSafetensors, encodeSafetensors } from '../src/runs/safetensors.js'
import { principalDirections } from '../src/spectrum/principal-directions.js'
import { thousands } from '../src/terminal/numbers.js'
import { withTrainedModel } from '../src/training/trained-model.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { dataFolder, idxImages } from './support/idx.js'
import { writeRun } from './support/run-folder.js'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const missing = !existsSync(executablePath)
if (missing) {
  const reason = `no Chromium at ${executablePath} (Debian: apt-get install chromium; or set CHROMIUM)`
  if (process.env.CI) throw new Error(reason)
  console.warn(`tests/explore.test.ts: the page is not opened: ${reason}`)
}

const scratch = scratchFolder()
const explore = (...args: readonly string[]) => eigenae(['explore', ...args], { cwd: scratch() })
const pixels = 784
const shownImages = 200
const patient = { timeout: 20_000 }
const folders = [scratch('none', 'seed-0'), scratch('<i>norm', 'seed-0')]

beforeAll(async () => {
  const small = ['data.limit=300', 'train.epochs=1', 'model.widths=[784,32,6]']
  const trained = await Promise.all([
    eigenae(trainArgs('baseline.json', scratch('none', 'seed-0'), ...small)),
    eigenae(trainArgs('eigen.json', scratch('<i>norm', 'seed-0'), ...small, 'model.batchNorm=all')),
    eigenae(trainArgs('baseline.json', scratch('latent-64'), ...small, 'model.widths=[784,32,64]')),
    eigenae(trainArgs('baseline.json', scratch('latent-1'), ...small, 'model.widths=[784,32,1]')),
  ])
  expect(trained.map(({ code }) => code)).toEqual([0, 0, 0, 0])
  await killDimensions(scratch('none', 'seed-0'), [2, 5])
})

/** Makes some of the embedding's dimensions the same for every image. */
async function killDimensions(run: string, dimensions: readonly number[]): Promise<void> {
  const { model } = runFiles(run)
  const file = decodeSafetensors(await readFile(model), model)
  const { shape, values } = file.tensors.get('encoder.1.weight')!
  for (const dimension of dimensions) values.fill(0, dimension * shape[1]!, (dimension + 1) * shape[1]!)
  await writeFile(model, encodeSafetensors(file))
}

describe('eigenae explore', () => {
  it('writes one page for two runs, and says how large it is', async () => {
    const { code, stdout, stderr } = await explore('none', '<i>norm', '--out', 'new/folder/page.html')
    expect(code).toBe(0)
    expect(stdout).toBe('new/folder/page.html\n')
    expect(stderr).toContain('model: none/seed-0')
    const page = await readFile(scratch('new/folder/page.html'))
    expect(stderr).toContain(`1024 test images, ${thousands(page.length / 1024)} KiB`)
    expect(await readdir(scratch('new/folder'))).toEqual(['page.html'])
  })

  it('replaces an earlier page, and no other file', async () => {
    const page = ['none', '--images', '20', '--json', '--out'] as const
    const first = await explore(...page, 'page.html')
    expect(JSON.parse(first.stdout)).toMatchObject({ images: 20, runs: ['none/seed-0'] })
    expect((await explore(...page, 'page.html')).code).toBe(0)
    await writeFile(scratch('thesis.html'), '<p>three years')
    const refused = await explore(...page, 'thesis.html')
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('thesis.html: exists and is no page of eigenae explore')
    expect(await readFile(scratch('thesis.html'), 'utf8')).toBe('<p>three years')
    expect((await explore(...page, 'none')).stderr).toContain('none: is a folder, --out names a file')
  })

  it('refuses what it cannot show, and says why', async () => {
    const out = ['--out', 'refused.html'] as const
    writeRun(scratch('stopped'), { status: 'interrupted' })
    dataFolder(scratch('tiny'), { 't10k-images-idx3-ubyte': idxImages(50, 4, 3) })
    await mkdir(scratch('damaged'))
    for (const name of ['config.json', 'run.json', 'metrics.csv', 'spectrum.csv', 'evaluation.json'])
      await copyFile(scratch('none/seed-0', name), scratch('damaged', name))
    await writeFile(scratch('damaged/model.safetensors'), 'cut')
    const cases = [
      [['none', '<i>norm', 'stopped', ...out], 2, '3 runs, a page shows one, or two side by side'],
      [['stopped', ...out], 2, 'stopped: has no trained model yet'],
      [['damaged', ...out], 1, 'damaged/model.safetensors: this file is damaged'],
      [['none', '--data', 'tiny', ...out], 2, 'takes 784 pixels, and the images of tiny have 12'],
      [['none'], 2, "required option '--out <file>' not specified"],
    ] as const
    const answers = await Promise.all(cases.map(([args]) => explore(...args)))
    for (const [index, [, code, message]] of cases.entries()) {
      expect(answers[index]!.stderr).toContain(message)
      expect(answers[index]!.code).toBe(code)
    }
    expect(existsSync(scratch('refused.html'))).toBe(false)
  })
})

/** What the page says of itself on the console. */
interface Shown {
  readonly input: readonly number[]
  readonly runs: readonly { readonly embedding: readonly number[]; readonly picture: readonly number[] }[]
}

describe.skipIf(missing)('the page of eigenae explore in Chromium', () => {
  let browser: Browser
  let page: Page
  let test: Split
  let complaints: string[]

  beforeAll(async () => {
    const launched = chromium.launch({ executablePath })
    const written = await Promise.all([
      explore('none', '<i>norm', '--images', String(shownImages), '--out', 'two.html'),
      explore('latent-64', 'latent-1', '--images', String(shownImages), '--out', 'odd.html'),
    ])
    expect(written.map(({ code }) => code)).toEqual([0, 0])
    browser = await launched
    page = await browser.newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('request', (request) => complaints.push(request.url().slice(0, 80)))
    test = (await loadDataSet('mnist')).test
  })

  afterAll(() => browser?.close())

  /** The page from its file, as new; from here on `complaints` is what went wrong or was asked for. */
  async function open(file = 'two.html') {
    const address = pathToFileURL(scratch(file)).href
    complaints = []
    await page.setViewportSize({ width: 1280, height: 900 })
    await page.emulateMedia({ colorScheme: 'light' })
    await page.goto(address)
    await page.waitForSelector('body[data-ready]')
    expect(complaints).toEqual([address])
    complaints = []
  }

  it.each(['two.html', 'odd.html'])(
    'asks for nothing and fits, light and dark, wide and narrow: %s',
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
        // A corner of the digit's picture: as light or dark as the page.
        const corner = async () => (await drawn(page, '#clean'))[0]
        await expect.poll(corner, patient).toBe(colorScheme === 'light' ? 0 : 1)
      }
      expect(complaints).toEqual([])
    },
  )

  it('runs no script but its own', async () => {
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

  it('reconstructs as the engine does, at any noise', async () => {
    await open()
    for (const [key, deviation] of [
      [null, 0.2],
      ['Home', 0],
      ['End', 1],
    ] as const) {
      if (key !== null) await page.locator('#noise').press(key)
      const { input, runs } = await shown(page)
      const noise = evaluationNoise(0, pixels, deviation)
      const expected = noise.map((value, i) => value + test.images.pixels[i]! / 255)
      expect(farthest(input, expected)).toBeLessThan(1e-6)
      for (const [index, folder] of folders.entries()) {
        await withModel(folder, async (trainer) => {
          const images = Float32Array.from(input)
          expect(farthest(runs[index]!.embedding, await trainer.encode(images))).toBeLessThan(1e-4)
          expect(farthest(runs[index]!.picture, await trainer.reconstruct(images))).toBeLessThan(1e-5)
        })
      }
    }
  })

  it('decodes where sliders are moved as the engine does, in both networks or in one', async () => {
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
    expect(await deviations(folders[0]!, test, both.runs[0]!.embedding, 0)).toBeCloseTo(3, 4)
    expect(await deviations(folders[1]!, test, one.runs[1]!.embedding, 0)).toBeCloseTo(3, 4)
    expect(await deviations(folders[1]!, test, one.runs[1]!.embedding, 1)).toBeCloseTo(-3, 4)
    expect(one.runs[0]).toEqual(both.runs[0])
    expect(farthest(one.runs[1]!.picture, both.runs[1]!.picture)).toBeGreaterThan(0.05)
    await page.locator('[data-run="1"] .back').click()
    expect((await shown(page)).runs[1]).toEqual(before.runs[1])
    expect(complaints).toEqual([])
  })

  it('moves nothing along a dead dimension, and draws so under its slider', async () => {
    await open()
    const dead = page.locator('[data-run="0"] .direction.dead label')
    expect(await dead.allTextContents()).toEqual(['5', '6'])
    expect(await page.locator('[data-run="1"] .dead').count()).toBe(0)
    await expect.poll(() => stripChanges(page, 1, 5), patient).toBe(true)
    await expect.poll(() => stripChanges(page, 0, 0), patient).toBe(true)
    expect(await stripChanges(page, 0, 5)).toBe(false)
    const before = await shown(page)
    await page.locator('#slider-0-5').press('Home')
    expect(await page.locator('#slider-0-5').inputValue()).toBe('-3')
    const after = await shown(page)
    expect(farthest(after.runs[0]!.picture, before.runs[0]!.picture)).toBeLessThan(1e-5)
    expect(farthest(after.runs[1]!.picture, before.runs[1]!.picture)).toBeGreaterThan(0.01)
  })

  it('chooses an image by a click on its point, and by the keyboard', async () => {
    await open()
    const said = (selector: string) => page.locator(selector).textContent()
    const plot = page.locator('[data-run="1"] .scatter')
    expect(await said('#point-1')).toBe('Chosen: image 0, label 7')
    await plot.focus()
    await page.keyboard.press('ArrowRight')
    const [name] = /image \d+, label \d/.exec((await said('#point-1')) ?? '')!
    expect(name).not.toContain('image 0,')
    expect(await said('#image')).toBe('image 0, label 7')
    await page.keyboard.press('Enter')
    expect(await said('#image')).toBe(name)
    expect(await said('#point-0')).toBe(`Chosen: ${name}`)

    const { x, y } = await lowestPoint(page, 1)
    await page.mouse.move(x, y)
    const label = await said('#preview:not([hidden]) span')
    await page.mouse.click(x, y)
    expect(await said('#image')).toMatch(new RegExp(`label ${label}$`))
    expect(await said('#image')).not.toBe(name)
    expect(complaints).toEqual([])
  })

  it('is reached by Tab from the first control to the last', async () => {
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

async function shown(page: Page): Promise<Shown> {
  return (await page.evaluate(`({
    input: [...eigenae.input],
    runs: eigenae.runs.map(({ embedding, picture }) => ({ embedding: [...embedding], picture: [...picture] })),
  })`)) as Shown
}

/** Whether the pictures at the ends of a slider's strip are not the same. */
function stripChanges(page: Page, run: number, direction: number): Promise<unknown> {
  return page.evaluate(`(() => {
    const strip = document.querySelectorAll('[data-run="${run}"] .strip')[${direction}]
    const picture = (i) => strip.getContext('2d').getImageData(29 * i, 0, 28, 28).data
    const [first, last] = [picture(0), picture(6)]
    return last[3] === 255 && first.some((value, i) => Math.abs(value - last[i]) > 1)
  })()`)
}

/** Where the last pixel of the plot's lowest digit is, in the window. */
async function lowestPoint(page: Page, run: number): Promise<{ readonly x: number; readonly y: number }> {
  const plot = page.locator(`[data-run="${run}"] .points`)
  await plot.scrollIntoViewIfNeeded()
  const { x, y } = (await plot.boundingBox())!
  const [column, row] = (await page.evaluate(`(() => {
    const canvas = document.querySelector('[data-run="${run}"] .points')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const inked = data.findLastIndex((value, i) => i % 4 === 3 && value > 200) >> 2
    return [inked % canvas.width, Math.floor(inked / canvas.width)]
  })()`)) as [number, number]
  return { x: x + column, y: y + row }
}

/** The picture as it is drawn, dark on white, back to values of 0 to 1. */
async function drawn(page: Page, canvas: string): Promise<readonly number[]> {
  const bytes = (await page.evaluate(
    `[...document.querySelector('${canvas}').getContext('2d').getImageData(0, 0, 28, 28).data]`,
  )) as readonly number[]
  return bytes.filter((_, i) => i % 4 === 0).map((value) => 1 - value / 255)
}

function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}

async function withModel<T>(run: string, use: (trainer: Trainer) => Promise<T>): Promise<T> {
  const { config } = await readWholeRun(run)
  return (await withTrainedModel(run, config, use))!
}

/** How far an embedding lies along a principal direction of the page's images, in standard deviations. */
function deviations(
  run: string,
  { images }: Split,
  embedding: readonly number[],
  direction: number,
): Promise<number> {
  return withModel(run, async (trainer) => {
    const encoded = await trainer.encode(images.pixels.subarray(0, shownImages * pixels))
    const { mean, directions } = principalDirections(encoded, embedding.length)
    const { vector, deviation } = directions[direction]!
    return embedding.reduce((sum, value, j) => sum + (value - mean[j]!) * vector[j]!, 0) / deviation
  })
}

/** What the engine's decoder makes of an embedding: its encoder is made to put every image there. */
async function decodedByEngine(run: string, embedding: readonly number[]): Promise<Float32Array> {
  const { config } = await readWholeRun(run)
  return withModel(run, async (trainer) => {
    const state = await trainer.exportState()
    const norm = config.model.batchNorm === 'all'
    const last = layoutOf(config.model).parameters.filter(({ name }) => name.startsWith('encoder.1.'))
    for (const tensor of last) {
      const values = tensorValues(tensor, state.parameters)
      if (tensor.kind === (norm ? 'beta' : 'bias')) values.set(embedding)
      else values.fill(0)
    }
    await trainer.importState(state)
    return trainer.reconstruct(new Float32Array(pixels))
  })
}
