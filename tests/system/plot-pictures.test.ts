import { readFileSync, writeFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { renderAsync } from '@resvg/resvg-js'
import { beforeAll, describe, expect, it } from 'vitest'
import { lineIndexes, rangesOf } from '../../src/comparison/series.js'
import { metricsColumns, thinnedRows } from '../../src/runs/tables.js'
import { eigenae, scratchFolder } from '../support/cli.js'
import { writeRun } from '../support/run-folder.js'
import { sealRun } from '../support/seal.js'

const scratch = scratchFolder()
const plot = (run: string) => eigenae(['plot', run, '--out', `${run}-pictures`], { cwd: scratch() })
const svg = (run: string, name: string) => readFile(scratch(`${run}-pictures`, `${name}.svg`), 'utf8')

/** Writes a run whose cells in the picture of rank by epoch all have the same colour. */
function writeEvenRun(folder: string, latent: number, epochs: number): void {
  writeRun(folder, { latent, epochs })
  const [header, ...rows] = readFileSync(`${folder}/spectrum.csv`, 'utf8').trimEnd().split('\n')
  const even = rows.map((row) => [...row.split(',').slice(0, 2), 1, 1 / latent, 1, 1 / latent].join(','))
  writeFileSync(`${folder}/spectrum.csv`, `${[header, ...even].join('\n')}\n`)
  sealRun(folder)
}

// Latent dimensions and epochs.
const evenRuns = [
  [2, 10],
  [10, 10],
  [64, 10],
  [64, 150],
  [3, 1500],
] as const

beforeAll(async () => {
  for (const [latent, epochs] of evenRuns) {
    writeEvenRun(scratch(`even-${latent}-${epochs}`), latent, epochs)
    expect((await plot(`even-${latent}-${epochs}`)).code).toBe(0)
  }
})

describe('the fonts of pictures', () => {
  it('are a valid list in CSS', async () => {
    const folder = scratch('even-10-10-pictures')
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.svg'))) {
      const families = new Set((await readFile(`${folder}/${file}`, 'utf8')).match(/font-family="[^"]*"/g))
      expect([...families], file).toEqual([`font-family="'Source Sans 3', sans-serif"`])
    }
  })
})

describe('the picture of rank by epoch', () => {
  it.each([
    [10, 10, 1.37],
    [64, 10, 1],
    [64, 150, 0.83],
    [3, 1500, 2.9],
  ])('has no lines between cells: %d dimensions, %d epochs, zoom %d', async (latent, epochs, zoom) => {
    const text = await svg(`even-${latent}-${epochs}`, 'evolution')
    // Apart from the legend and texts, only the cells have a colour of the scheme.
    const [fill] = /(?<=fill=")rgb\([^"]*\)(?="\/>)/.exec(text.slice(text.indexOf('mark-rect')))!
    const color = fill.match(/\d+/g)!.map(Number)
    const image = await renderAsync(text, { fitTo: { mode: 'zoom', value: zoom } })
    expect(holesIn(image, color)).toEqual({ holes: 0, found: true })
  })
})

/** Counts the pixels of other colours in the largest area of `color`, which is the panel without its antialiased edges. */
function holesIn(
  { pixels, width }: { readonly pixels: Buffer; readonly width: number },
  color: readonly number[],
) {
  const is = (x: number, y: number) => color.every((value, i) => pixels[(y * width + x) * 4 + i] === value)
  const rows = Array.from({ length: pixels.length / 4 / width }, (_, y) => y).filter(
    (y) => Array.from({ length: width }, (_, x) => x).filter((x) => is(x, y)).length > width / 3,
  )
  const middle = rows[Math.floor(rows.length / 2)] ?? 0
  const columns = Array.from({ length: width }, (_, x) => x).filter((x) => is(x, middle))
  const [left, right, top, bottom] = [columns[0]!, columns.at(-1)!, rows[0]!, rows.at(-1)!]
  let holes = 0
  for (let y = top; y <= bottom; y++) for (let x = left; x <= right; x++) if (!is(x, y)) holes++
  return { holes, found: right - left > 100 && bottom - top > 100 }
}

describe('rank axes', () => {
  it.each([
    [2, ['1', '2']],
    [10, ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']],
    [64, ['10', '20', '30', '40', '50', '60']],
  ])('label at most ten ranks: %d dimensions', async (latent, expected) => {
    // Only the labels below an axis are centred.
    const text = await svg(`even-${latent}-10`, 'spectrum')
    const labels = [...text.matchAll(/text-anchor="middle"[^>]*>(\d+)<\/text>/g)].map(([, label]) => label)
    expect(labels).toEqual(expected)
  })
})

describe('lines over the epochs', () => {
  const arms = ['none', 'eigen'] as const

  beforeAll(async () => {
    for (const epochs of [30, 31]) {
      for (const arm of arms) {
        const eigen = arm === 'none' ? null : { kind: 'top-k', k: 2, weight: 1, center: false }
        writeRun(scratch(`lines-${epochs}`, arm, 'seed-0'), { epochs, eigen })
      }
      const { code } = await eigenae(['compare', `lines-${epochs}`, '--out', `lines-${epochs}-pictures`], {
        cwd: scratch(),
      })
      expect(code).toBe(0)
    }
  })

  it.each([
    [30, true],
    [31, false],
  ])('have markers only if there are few: %d epochs', async (epochs, markers) => {
    for (const name of ['loss', 'effective-rank', 'training']) {
      const text = await svg(`lines-${epochs}`, name)
      expect(text.includes('mark-symbol role-mark'), name).toBe(markers)
      expect(text, name).not.toContain('role-legend')
    }
    const page = await readFile(scratch(`lines-${epochs}-pictures`, 'report.html'), 'utf8')
    const paths = page.match(/<button[^>]*data-arm[^>]*>.*?<\/button>/g)!
    expect(paths.map((button) => button.match(/<path/g)!.length)).toEqual(arms.map(() => (markers ? 2 : 1)))
  })

  it('have the labels of their arms at their ends, which do not overlap', async () => {
    const text = await svg('lines-30', 'loss')
    const places = [
      ...text.matchAll(
        /text-anchor="start" transform="translate\(([\d.]+),([\d.]+)\)"[^>]*fill="(#[^"]+)">([^<]+)</g,
      ),
    ]
    const ends = places.filter(([, , , , label]) => /none|top-k|eigen/.test(label!))
    expect(ends.length).toBe(4)
    expect(new Set(ends.map(([, , , fill]) => fill)).size).toBe(2)
    const [first, second] = ends
    expect(first![1]).toBe(second![1])
    expect(Math.abs(Number(first![2]) - Number(second![2]))).toBeGreaterThan(12)
  })
})

describe('the pictures of a comparison', () => {
  /** Returns the charts of the report of a comparison by their names, each with the rows of its data. */
  async function rowsOf(run: string) {
    const { code, stderr } = await eigenae(['compare', run, '--out', `${run}-report`], { cwd: scratch() })
    expect(code, stderr).toBe(0)
    const page = await readFile(scratch(`${run}-report`, 'report.html'), 'utf8')
    const { charts } = JSON.parse(/id="report-data">(.*?)<\/script>/.exec(page)![1]!)
    return new Map<string, readonly Readonly<Record<string, unknown>>[]>(
      charts.map(({ name, spec }: { name: string; spec: { data: { values: [] } } }) => [
        name,
        spec.data.values,
      ]),
    )
  }

  it('has the effective rank before training, on an axis from 1 to d', async () => {
    writeRun(scratch('start'), { latent: 4, effectiveRank: 3 })
    const points = (await rowsOf('start')).get('effective-rank')!.filter(({ kind }) => kind === 'mean')
    const shares = [0.4, 0.3, 0.2, 0.1]
    const atStart = Math.exp(-shares.reduce((sum, p) => sum + p * Math.log(p), 0))
    expect(points.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3])
    expect(points[0]!.mean).toBeCloseTo(atStart, 10)
    expect(points[3]!.mean).toBe(3)
    const text = await readFile(scratch('start-report', 'effective-rank.svg'), 'utf8')
    const labels = [...text.matchAll(/text-anchor="end"[^>]*>(\d+)<\/text>/g)].map(([, label]) => label)
    expect(labels).toEqual(['1', '2', '3', '4'])
  })

  it('has the shares as powers of two around 1/d', async () => {
    const cells = (await rowsOf('start')).get('evolution')!
    const first = cells.filter(({ epoch }) => epoch === '0')
    expect(first.map(({ rank }) => rank)).toEqual(['1', '2', '3', '4'])
    for (const { share, doublings } of first)
      expect(doublings).toBeCloseTo(Math.log2((share as number) * 4), 10)
  })

  it('has each term of the loss, and weights only if they change', async () => {
    const eigen = { kind: 'top-k', k: 2, weight: 1, center: false }
    for (const seed of [0, 1]) {
      const folder = writeRun(scratch('terms', `seed-${seed}`), { seed, eigen, epochs: 2 })
      const rows = [
        '1,1,top-k,1,0.5,0.5',
        '1,2,entropy,0.2,3,0.6',
        `2,1,top-k,1,${0.4 + 0.2 * seed},0.4`,
        '2,2,entropy,0.1,2,0.2',
      ]
      writeFileSync(`${folder}/losses.csv`, ['epoch,term,kind,weight,value,weighted', ...rows, ''].join('\n'))
      const layers = ['0,encoder.0,32,0,4,1', `1,encoder.0,32,${8 * seed},4,1`, '2,encoder.0,32,16,4,1']
      const header = 'epoch,layer,width,dead_units,effective_rank,mean_variance'
      writeFileSync(`${folder}/layers.csv`, [header, ...layers, ''].join('\n'))
    }
    const charts = await rowsOf('terms')
    const lines = charts.get('training')!.filter(({ kind }) => kind === 'mean')
    const means = [2, 3, 4].map((panel) => lines.filter((row) => row.panel === panel).map(({ mean }) => mean))
    expect(means).toEqual([
      [0.5, 0.5],
      [3, 2],
      [0.2, 0.1],
    ])
    const text = await readFile(scratch('terms-report', 'training.svg'), 'utf8')
    expect(text).toContain('>entropy, without its weight<')
    expect(text).toContain('>weight of entropy<')
    expect(text).not.toContain('>weight of top-k<')
    const cells = charts.get('dead-units')!
    expect(cells.map(({ epoch, dead, share }) => [epoch, dead, share])).toEqual([
      [0, 0, 0],
      [1, 4, 0.125],
      [2, 16, 0.5],
    ])
  })
})

describe('runs of 100,000 epochs', () => {
  const report = `--import=data:text/javascript,process.on('exit',()=>console.error('KB',process.resourceUsage().maxRSS))`
  const env = { NODE_OPTIONS: report }

  it('are drawn in bounded size and memory', { timeout: 60_000 }, async () => {
    writeRun(scratch('long'), { epochs: 100_000, latent: 2 })
    const rows = readFileSync(scratch('long', 'metrics.csv'), 'utf8').split('\n')
    const peak = rows[43_211]!.split(',').with(metricsColumns.indexOf('test_mse'), '999999')
    writeFileSync(scratch('long', 'metrics.csv'), rows.with(43_211, peak.join(',')).join('\n'))
    sealRun(scratch('long'))
    const args = ['compare', 'long', '--out', 'long-pictures']
    const { code, stdout, stderr } = await eigenae(args, { cwd: scratch(), env })
    expect(code).toBe(0)
    expect(stderr).not.toContain('warning')
    expect(stdout).toMatch(/^long +1 +0\.03000 /m)
    expect(Number(/KB (\d+)/.exec(stderr)![1])).toBeLessThan(600_000)
    for (const name of ['loss.svg', 'evolution.svg', 'effective-rank.svg', 'report.html'])
      expect((await stat(scratch('long-pictures', name))).size, name).toBeLessThan(2_500_000)
    const page = await readFile(scratch('long-pictures', 'report.html'), 'utf8')
    const { charts } = JSON.parse(/id="report-data">(.*?)<\/script>/.exec(page)![1]!)
    const loss = charts.find(({ name }: { name: string }) => name === 'loss').spec.data.values
    const epochs = loss.map(({ epoch }: { epoch: number }) => epoch)
    expect(epochs).toEqual(expect.arrayContaining([1, 43_211, 100_000]))
    const cells = charts.find(({ name }: { name: string }) => name === 'evolution').spec.data.values
    expect(cells.length).toBeLessThanOrEqual(400)
    expect(cells[0].epochFrom).toBe(-0.5)
    expect(cells.at(-1).epochTo).toBe(100_000.5)
  })
})

describe('thinning', () => {
  it('keeps the first, the last and the extremes of a line', () => {
    const values = Array.from({ length: 10_000 }, (_, i) => (i === 777 ? 9 : i === 5555 ? -9 : Math.sin(i)))
    const indexes = lineIndexes(values, 100)
    expect(indexes.length).toBeLessThanOrEqual(100)
    expect(indexes).toEqual(expect.arrayContaining([0, 777, 5555, 9999]))
    expect([...indexes].sort((a, b) => a - b)).toEqual(indexes)
    expect(lineIndexes(values, 10_000).length).toBe(10_000)
    expect(lineIndexes([3, Number.NaN, 1], 3)).toEqual([0, 1, 2])
    expect(lineIndexes([], 3)).toEqual([])
  })

  it('cuts numbers into ranges that contain all of them', () => {
    expect(rangesOf([1, 2, 3, 4, 5], 2).ranges).toEqual([
      { first: 1, last: 3 },
      { first: 4, last: 5 },
    ])
    expect(rangesOf([1, 2], 5).ranges.length).toBe(2)
    expect(rangesOf([], 5).ranges).toEqual([])
    expect(rangesOf([1, 2, 3], Number.POSITIVE_INFINITY).ranges.length).toBe(3)
  })

  it.each([0, 1, 1024, 1025, 1500, 2048, 5000])(
    'keeps evenly spaced epochs and the last: %d epochs',
    (last) => {
      const lines = Array.from({ length: last + 1 }, (_, epoch) => `${epoch},1\n${epoch},2\n`)
      const rows = thinnedRows(Buffer.from(`epoch,rank\n${lines.join('')}`), '', ['epoch', 'rank'])
      const epochs = [...new Set(rows.map(({ epoch }) => epoch))]
      expect(rows.length).toBe(2 * epochs.length)
      expect([epochs[0], epochs.at(-1)]).toEqual([0, last])
      expect(epochs.length).toBeLessThanOrEqual(1025)
      expect(epochs.length).toBeGreaterThan(Math.min(last, 510))
      const step = epochs[1] ?? 1
      expect(epochs.slice(0, -1).every((epoch, place) => epoch === place * step)).toBe(true)
    },
  )
})
