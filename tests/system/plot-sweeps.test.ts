import { existsSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ReportData } from '../../src/pages/report/report-format.js'
import { textWidth } from '../../src/plots/font.js'
import { planFormat } from '../../src/runs/sweep-plan.js'
import { eigenae, scratchFolder } from '../support/cli.js'
import { writeRun } from '../support/run-folder.js'

const scratch = scratchFolder()
const weights = [0, 0.01, 0.1, 1] as const
const topK = (weight: number) => ({ kind: 'top-k', k: 2, weight, center: false })

type Row = Readonly<Record<string, unknown>>

/** Writes the plan of a sweep of arms with one seed. */
const writeSweep = (
  folder: string,
  plan: { readonly name: string; readonly arms: readonly string[] },
  more = {},
) =>
  writeFileSync(
    scratch(folder, 'sweep.json'),
    JSON.stringify({
      format: planFormat,
      name: plan.name,
      runs: plan.arms.map((arm) => `${arm}/seed-0`),
      ...more,
    }),
  )

async function reportDataOf(out: string): Promise<ReportData> {
  const page = await readFile(scratch(out, 'report.html'), 'utf8')
  return JSON.parse(/id="report-data">(.*?)<\/script>/.exec(page)![1]!)
}

/** Compares the arms of a folder and returns the charts of the report by name, with their rows. */
async function chartsOf(folder: string, out: string) {
  const { code, stderr } = await eigenae(['compare', folder, '--out', out], { cwd: scratch() })
  expect(code, stderr).toBe(0)
  const { charts } = await reportDataOf(out)
  return new Map(
    charts.map((chart) => [
      chart.name,
      { ...chart, rows: (chart.spec.data as { values: readonly Row[] }).values },
    ]),
  )
}

type Charts = Awaited<ReturnType<typeof chartsOf>>

const has = (out: string, name: string) =>
  ['svg', 'png'].map((extension) => existsSync(scratch(out, `${name}.${extension}`)))

describe('a grid of one setting', () => {
  let charts: Charts

  beforeAll(async () => {
    for (const kind of ['top-k', 'entropy'])
      for (const weight of weights)
        for (const seed of [0, 1]) {
          const folder = scratch('grid', `${kind},loss.eigen.weight=${weight}`, `seed-${seed}`)
          const eigen = kind === 'top-k' ? topK(weight) : { kind, weight, center: false }
          // The best is top-k with a weight of 0.01.
          const testMse =
            0.03 + 0.001 * Math.abs(weight - 0.01) + (kind === 'top-k' ? 0 : 0.01) + 0.0001 * seed
          writeRun(folder, { seed, eigen, testMse })
        }
    for (const seed of [0, 1]) writeRun(scratch('grid', 'none', `seed-${seed}`), { seed, testMse: 0.06 })
    charts = await chartsOf('grid', 'grid-pictures')
  })

  const rowsOfPanel = (kind: string) =>
    charts.get('swept')!.rows.filter((row) => row.panel === 0 && row.kind === kind)

  it('is drawn as a line per variant, with 0 left of the smallest weight on the logarithmic axis', () => {
    const points = rowsOfPanel('mean').filter(({ arm }) => arm === 'top-k')
    expect(points.map(({ text }) => text)).toEqual(weights.map(String))
    const positions = points.map((row) => row.loss_eigen_weight as number)
    expect(positions.slice(1)).toEqual(weights.slice(1))
    expect(positions[0]).toBeCloseTo(0.001, 9)
    expect(points.map(({ isolated }) => isolated)).toEqual([true, false, false, false])
    expect(new Set(rowsOfPanel('mean').map(({ arm }) => arm))).toEqual(new Set(['top-k', 'entropy']))
  })

  it('has a ring around the best mean', () => {
    const ringed = rowsOfPanel('mean').filter(({ ringed }) => ringed)
    expect(ringed.map(({ arm, text }) => [arm, text])).toEqual([['top-k', '0.01']])
  })

  it('shows the single seeds rather than a wide interval, and arms without the setting as lines', async () => {
    const { choices } = await reportDataOf('grid-pictures')
    const estimates = choices.arms.flatMap(({ values }) => values.flat())
    expect(new Set(estimates.map((estimate) => estimate?.length))).toEqual(new Set([1]))
    for (const { mean, low, high } of rowsOfPanel('mean')) expect([low, high]).toEqual([mean, mean])
    expect(rowsOfPanel('seed').length).toBe(2 * 2 * weights.length)
    expect(rowsOfPanel('below').map(({ reference }) => reference)).toEqual([0.06])
  })

  it('is written as SVG and PNG, without a heat map or a search', () => {
    expect(has('grid-pictures', 'swept')).toEqual([true, true])
    for (const name of ['heat-map', 'search', 'parallel'])
      expect(has('grid-pictures', name)).toEqual([false, false])
  })

  it('leaves no picture of an earlier comparison', async () => {
    await chartsOf('grid/none', 'grid-pictures')
    for (const name of ['swept', 'pareto']) expect(has('grid-pictures', name)).toEqual([false, false])
  })
})

describe('a grid of two settings', () => {
  it('is drawn as a heat map with the best cell marked', async () => {
    for (const weight of weights)
      for (const learningRate of [0.001, 0.01])
        writeRun(
          scratch(
            'two',
            `top-k,loss.eigen.weight=${weight},optimizer.learningRate=${learningRate}`,
            'seed-0',
          ),
          { eigen: topK(weight), learningRate, testMse: 0.03 + 0.01 * weight + learningRate },
        )
    const charts = await chartsOf('two', 'two-pictures')
    const cells = charts.get('heat-map')!.rows.filter(({ panel }) => panel === 0)
    expect(cells.length).toBe(2 * weights.length)
    const best = cells.filter((cell) => cell.best)
    expect(best.map(({ across, down, text }) => [across, down, text])).toEqual([[0, 0.001, '.03100']])
    const lines = charts.get('swept')!.rows.filter(({ panel, kind }) => panel === 0 && kind === 'mean')
    expect(new Set(lines.map(({ arm }) => arm))).toEqual(new Set(['learningRate=0.001', 'learningRate=0.01']))
  })
})

describe('a grid of three settings', () => {
  const rates = [0.001, 0.003, 0.01]
  const widths = [
    [784, 32, 10],
    [784, 32, 4],
  ]
  let map: ReturnType<Charts['get']>

  beforeAll(async () => {
    const arms = widths.flatMap((width) =>
      weights.flatMap((weight) =>
        rates.map((learningRate) => {
          const grid = `model.widths=${width.join('-')},loss.eigen.weight=${weight}`
          const arm = `top-k,${grid},optimizer.learningRate=${learningRate}`
          const testMse = 0.03 + 0.01 * weight + learningRate + 0.001 * width.at(-1)!
          const latent = width.at(-1)!
          writeRun(scratch('three', arm, 'seed-0'), { eigen: topK(weight), learningRate, latent, testMse })
          return arm
        }),
      ),
    )
    const grid = {
      'model.widths': widths,
      'loss.eigen.weight': weights,
      'optimizer.learningRate': rates,
    }
    writeSweep('three', { name: 'three', arms }, { grid })
    map = (await chartsOf('three', 'three-pictures')).get('heat-map')
  })

  it('is drawn as heat maps with one scale, one legend and one frame for each metric', () => {
    const views = map!.spec.concat as readonly { readonly layer: readonly Row[] }[]
    const colors = views.map(({ layer }) => (layer[0]!.encoding as { color: Row }).color)
    expect(colors.length).toBe(4)
    const scales = colors.map(({ scale }) => JSON.stringify(scale))
    expect([scales[2], scales[3]]).toEqual([scales[0], scales[1]])
    expect(colors.map(({ legend }) => legend !== null)).toEqual([true, true, false, false])
    const best = map!.rows.filter((cell) => cell.best && [0, 2].includes(cell.panel as number))
    expect(best.map(({ panel, across, down }) => [panel, across, down])).toEqual([[0, 0, 0.001]])
  })

  it('has a row of maps for each list of widths, in the order of their numbers', () => {
    expect(map!.panels.columns).toBe(2)
    const titles = (map!.spec.concat as readonly { readonly title: { readonly text: string } }[]).map(
      ({ title }) => title.text.split(': ')[1],
    )
    expect(titles.map((title) => title!.split('=')[1])).toEqual([
      ...['784-32-4', '784-32-4'],
      ...['784-32-10', '784-32-10'],
    ])
  })
})

describe('the grid of a sweep file', () => {
  it('has its settings as axes, and a line for each variant, whatever else the variants differ in', async () => {
    const variants = { slow: 0.001, medium: 0.003, fast: 0.01 }
    const nameOf = (variant: string, weight: number) => `${variant},loss.eigen.weight=${weight}`
    for (const [variant, learningRate] of Object.entries(variants))
      for (const weight of weights)
        writeRun(scratch('declared', nameOf(variant, weight), 'seed-0'), {
          eigen: topK(weight),
          learningRate,
        })
    const arms = Object.keys(variants).flatMap((variant) => weights.map((weight) => nameOf(variant, weight)))
    writeSweep('declared', { name: 'the weights', arms }, { grid: { 'loss.eigen.weight': weights } })
    const charts = await chartsOf('declared', 'declared-pictures')
    const points = charts.get('swept')!.rows.filter(({ panel, kind }) => panel === 0 && kind === 'mean')
    expect([...new Set(points.map(({ arm }) => arm))]).toEqual(Object.keys(variants))
    expect(charts.has('heat-map')).toBe(false)
    expect(charts.get('swept')!.subject).toBe('the weights')
    const svg = await readFile(scratch('declared-pictures', 'loss.svg'), 'utf8')
    expect(svg).toContain('>Loss by epoch: the weights<')
  })
})

describe('more arms than colours', () => {
  it('are the best ones and the baseline', async () => {
    const arms = Array.from({ length: 14 }, (_, index) => `arm-${index + 1}`)
    for (const [index, arm] of arms.entries())
      writeRun(scratch('many', arm, 'seed-0'), { noise: 0.01 * (index + 1), testMse: 0.02 + 0.001 * index })
    writeSweep('many', { name: 'many', arms }, { baseline: 'arm-13' })
    const loss = (await chartsOf('many', 'many-pictures')).get('loss')!
    expect([...new Set(loss.rows.map(({ arm }) => arm))]).toEqual([...arms.slice(0, 11), 'arm-13'])
    expect(loss.title).toBe('Loss by epoch, the baseline and the best 11 of 14 arms by noisy test MSE')
  })
})

describe('a search', () => {
  let charts: Charts
  const trials = 12

  beforeAll(async () => {
    for (let trial = 1; trial <= trials; trial++) {
      const learningRate = Number((0.001 * 1.3 ** trial).toPrecision(4))
      const batchSize = [32, 64, 128][trial % 3]!
      const name = `top-k,trial-${String(trial).padStart(3, '0')}`
      writeRun(scratch('search', name, 'seed-0'), {
        eigen: topK(Number((0.5 / trial).toPrecision(4))),
        ...{ learningRate, batchSize, effectiveRank: 1 + (trial % 5) },
        // The last trial diverged.
        testMse: trial === trials ? 9 : 0.03 + 0.001 * Math.abs(trial - 4),
      })
    }
    charts = await chartsOf('search', 'search-pictures')
  })

  it('is drawn against each searched setting, with trials far beyond the others at the edge', () => {
    const { rows } = charts.get('search')!
    expect(rows.length).toBe(3 * trials)
    const beyond = rows.filter((row) => row.beyond)
    expect(beyond.map(({ value }) => value)).toEqual([9, 9, 9])
    expect(beyond.every(({ height }) => (height as number) < 0.05)).toBe(true)
    expect(rows.filter(({ best }) => best).map(({ value }) => value)).toEqual([0.03, 0.03, 0.03])
  })

  it('is drawn as parallel coordinates, with better results above', () => {
    const { rows } = charts.get('parallel')!
    const titles = rows.filter(({ kind }) => kind === 'axis').map(({ title }) => title)
    expect(titles.toSorted()).toEqual(['batchSize', 'effective rank', 'learningRate', 'test MSE', 'weight'])
    const last = titles.indexOf('test MSE')
    const lines = rows.filter(({ kind, across }) => kind === 'line' && across === last)
    expect(lines.length).toBe(trials)
    expect(lines.find(({ best }) => best)!.position).toBe(1)
    expect(lines.find(({ value }) => value === 9)!.position).toBe(0)
  })

  it('leaves trials out of the axes of settings that they lack', async () => {
    const shared = {
      'optimizer.learningRate': { log: [0.001, 0.1] },
      'train.batchSize': { choice: [32, 64, 128] },
    }
    const names = ['none', 'top-k'].flatMap((variant) =>
      Array.from({ length: trials }, (_, trial) => `${variant},trial-${String(trial + 1).padStart(3, '0')}`),
    )
    for (const [index, name] of names.entries()) {
      const place = (index % trials) + 1
      const eigen = name.startsWith('none') ? null : topK(place / trials)
      writeRun(scratch('lacking', name, 'seed-0'), {
        ...{ eigen, learningRate: 0.001 * place, batchSize: [32, 64, 128][place % 3]! },
        ...{ effectiveRank: 1 + place / trials, testMse: 0.03 + 0.001 * index },
      })
    }
    const spaces = { none: shared, 'top-k': { ...shared, 'loss.eigen.weight': { log: [0.1, 1] } } }
    writeSweep('lacking', { name: 'lacking', arms: names }, { search: { trials, seed: 0, spaces } })
    const { rows } = (await chartsOf('lacking', 'lacking-pictures')).get('parallel')!
    const across = rows.filter(({ kind }) => kind === 'axis').map(({ title }) => title)
    expect(across).toEqual(['weight', 'learningRate', 'batchSize', 'effective rank', 'test MSE'])
    const lines = rows.filter(({ kind }) => kind === 'line')
    const axesOf = (variant: string) =>
      new Set(lines.filter(({ arm }) => (arm as string).startsWith(variant)).map((row) => row.across))
    expect([...axesOf('none')]).toEqual([1, 2, 3, 4])
    expect([...axesOf('top-k')]).toEqual([0, 1, 2, 3, 4])
  })

  it('has axes on which no two labels overlap, words included', async () => {
    for (let trial = 1; trial <= trials; trial++) {
      const width = [784, 4 * trial, 12]
      const eigen = topK(Number((trial / 3).toPrecision(4)))
      const run = {
        eigen,
        learningRate: 0.01 + trial / 1000,
        latent: trial + 100,
        testMse: 0.03 + trial / 1000,
      }
      writeRun(scratch('close', `top-k,${width.join('-')}-trial-${trial}`, 'seed-0'), run)
    }
    await chartsOf('close', 'close-pictures')
    const text = await readFile(scratch('close-pictures', 'search.svg'), 'utf8')
    const axes = [...text.matchAll(/role-axis-label"[^>]*>(.*?)<\/g>/g)].map(([, axis]) => axis!)
    const horizontal = axes.filter((axis) => axis.includes('text-anchor="middle"'))
    expect(horizontal.length).toBe(3)
    for (const axis of horizontal) {
      const labels = [...axis.matchAll(/translate\(([\d.]+),[\d.]+\)"[^>]*>(.*?)<\/text>/g)]
      expect(labels.length).toBeGreaterThan(1)
      const ends = new Map<number, number>()
      for (const [, x, label] of labels) {
        // A label on a lower line has empty lines above it.
        const line = label!.split('<tspan').length
        const width = textWidth(label!.replace(/<[^>]*>/g, ''), 11)
        expect(Number(x) - width / 2, axis).toBeGreaterThan(ends.get(line) ?? Number.NEGATIVE_INFINITY)
        ends.set(line, Number(x) + width / 2)
      }
    }
  })

  it('has no picture of a grid', () => {
    expect(charts.has('swept') || charts.has('heat-map')).toBe(false)
  })
})

describe('test MSE against effective rank', () => {
  it('joins the arms that no other arm beats in both', async () => {
    const arms = {
      low: [0.02, 2],
      high: [0.03, 4],
      both: [0.025, 3],
      worse: [0.03, 3],
      worst: [0.04, 2],
    } as const
    for (const [name, [testMse, effectiveRank]] of Object.entries(arms))
      writeRun(scratch('trade-off', name, 'seed-0'), { testMse, effectiveRank, noise: effectiveRank / 10 })
    const { rows } = (await chartsOf('trade-off', 'trade-off-pictures')).get('pareto')!
    const frontier = rows.filter(({ kind }) => kind === 'frontier')
    expect(frontier.map(({ x, y }) => [x, y])).toEqual([
      [2, 0.02],
      [3, 0.025],
      [4, 0.03],
    ])
    expect(rows.filter(({ kind }) => kind === 'label').length).toBe(5)
  })
})

describe('the differences from the baseline', () => {
  const writeArm = (folder: string, name: string, seeds: number, testMse: (seed: number) => number) => {
    for (let seed = 0; seed < seeds; seed++)
      writeRun(scratch(folder, name, `seed-${seed}`), {
        seed,
        testMse: testMse(seed),
        noise: name.length / 10,
      })
  }

  it('are drawn with their intervals over five seeds and more, with significant ones marked', async () => {
    writeArm('tested', 'base', 6, (seed) => 0.02 + 0.001 * seed)
    writeArm('tested', 'better', 6, (seed) => 0.018 + 0.001 * seed + 0.0001 * (seed % 2))
    writeArm('tested', 'like', 6, (seed) => 0.0201 + 0.001 * seed + 0.001 * (seed % 2 ? 1 : -1))
    const { rows } = (await chartsOf('tested', 'tested-pictures')).get('differences')!
    const ofMse = rows.filter(({ panel }) => panel === 'test MSE, clean input (lower is better)')
    expect(ofMse.map(({ arm, kind }) => [arm, kind])).toEqual([
      ['better', 'significant'],
      ['like', 'not significant'],
    ])
    const [{ difference, low, high }] = ofMse as [Record<'difference' | 'low' | 'high', number>]
    expect(difference).toBeCloseTo(-0.00195, 12)
    expect([low, high].map((end) => Math.sign(end))).toEqual([-1, -1])
    expect(high - difference).toBeCloseTo(difference - low, 12)
    expect(has('tested-pictures', 'differences')).toEqual([true, true])
  })

  it('are not drawn over four seeds', async () => {
    for (const name of ['base', 'other'])
      writeArm('few', name, 4, (seed) => 0.02 + 0.001 * seed * name.length)
    expect((await chartsOf('few', 'few-pictures')).has('differences')).toBe(false)
  })
})
