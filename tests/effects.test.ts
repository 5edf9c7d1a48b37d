import { writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/comparison/compare.js'
import { epsilonSquared, type Observation, rankCorrelation, varianceOf } from '../src/comparison/effects.js'
import { comparisonCharts } from '../src/plots/comparison-pictures.js'
import { planFormat } from '../src/runs/sweep-plan.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { type FakeRun, writeRun } from './support/run-folder.js'
import { readJson } from './support/sweeps.js'

interface Part {
  /** Null for the residual. */
  readonly term: readonly number[] | null
  readonly degreesOfFreedom: number
  readonly sumOfSquares: number
}

// The values of SciPy and statsmodels; tests/golden/effects.py prints them.
const expected = readJson(`${import.meta.dirname}/golden/effects.json`) as {
  readonly grids: readonly {
    readonly observations: readonly Observation[]
    readonly parts: readonly Part[]
  }[]
  readonly correlations: readonly {
    readonly left: readonly number[]
    readonly right: readonly number[]
    readonly r: number
    readonly low: number
    readonly high: number
  }[]
  readonly groups: readonly {
    readonly groups: readonly string[]
    readonly values: readonly number[]
    readonly epsilonSquared: number
  }[]
}

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae([...args], { cwd: scratch() })

describe('the formulas', () => {
  it.each(expected.grids)('have the sums of squares of statsmodels', ({ observations, parts }) => {
    const terms = parts.flatMap(({ term, ...part }) => (term === null ? [] : [{ term, ...part }]))
    for (const { term, degreesOfFreedom, sumOfSquares } of terms) {
      const own = varianceOf(observations, term)
      expect(own.degreesOfFreedom).toBe(degreesOfFreedom)
      expect(own.sumOfSquares).toBeCloseTo(sumOfSquares, 14)
    }
  })

  it.each(expected.correlations)('have the rank correlation of SciPy', ({ left, right, r, low, high }) => {
    const own = rankCorrelation(left, right)
    expect(own.r).toBeCloseTo(r, 12)
    expect(own.interval!.low).toBeCloseTo(low, 12)
    expect(own.interval!.high).toBeCloseTo(high, 12)
  })

  it.each(expected.groups)("have ε² from SciPy's H", (case_) => {
    expect(epsilonSquared(case_.groups, case_.values)).toBeCloseTo(case_.epsilonSquared, 12)
  })

  it('have no interval for three pairs or a perfect order', () => {
    expect(rankCorrelation([1, 2, 3], [1, 3, 2])).toEqual({ r: 0.5, interval: null })
    expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toEqual({ r: -1, interval: null })
  })
})

const paths = { a: 'loss.eigen.weight', b: 'train.batchSize' } as const
const [grid] = expected.grids

/** Writes the runs of the first grid of the expected values as those of a sweep, without those of some cells' seeds. */
function writeGrid(folder: string, omit: (arm: string, seed: number) => boolean = () => false): void {
  const [weights, sizes] = [
    [0.1, 0.3, 1],
    [64, 256],
  ]
  const runs = grid!.observations.map(({ levels, value }) => {
    const [weight, batchSize] = [weights[Number(levels[0])]!, sizes[Number(levels[1])]!]
    const arm = `eigen,${paths.a}=${weight},${paths.b}=${batchSize}`
    const eigen = { kind: 'top-k', k: 2, weight, center: false }
    return { arm, seed: Number(levels[2]), run: { eigen, batchSize, testMse: value } satisfies FakeRun }
  })
  for (const { arm, seed, run } of runs)
    writeRun(scratch(folder, arm, `seed-${seed}`), {
      ...run,
      seed,
      ...(omit(arm, seed) && { status: 'failed' }),
    })
  writePlan(folder, {
    grid: { [paths.a]: weights, [paths.b]: sizes },
    runs: runs.map(({ arm, seed }) => `${arm}/seed-${seed}`),
  })
}

function writePlan(folder: string, plan: object): void {
  writeFileSync(scratch(folder, 'sweep.json'), JSON.stringify({ format: planFormat, name: folder, ...plan }))
}

const effectsOf = async (...args: readonly string[]) =>
  JSON.parse((await run('compare', ...args, '--json')).stdout).effects

describe('compare --effects of a grid', () => {
  beforeAll(() => writeGrid('grid'))

  it('has the shares of the settings, their interaction, the seeds and the rest', async () => {
    const { metric, design, seeds, rows } = await effectsOf('grid', '--metric', 'test_mse')
    expect([metric, design, seeds]).toEqual(['test_mse', 'grid', [0, 1, 2, 3]])
    const all = grid!.parts.reduce((sum, { sumOfSquares }) => sum + sumOfSquares, 0)
    const settings = [[paths.a], [paths.b], [], [paths.a, paths.b], []]
    for (const [index, part] of grid!.parts.entries()) {
      const kinds = part.term === null ? ['rest'] : ['setting', 'interaction', 'seeds']
      const row = rows.find(
        (each: { kind: string; settings: readonly string[] }) =>
          kinds.includes(each.kind) && each.settings.join() === settings[index]!.join(),
      )
      expect(row.degrees_of_freedom).toBe(part.degreesOfFreedom)
      expect(row.sum_of_squares).toBeCloseTo(part.sumOfSquares, 14)
      expect(row.share).toBeCloseTo(part.sumOfSquares / all, 9)
    }
    expect(rows.map(({ kind }: { kind: string }) => kind)).toEqual([
      'setting',
      'setting',
      'interaction',
      'seeds',
      'rest',
    ])
  })

  it('is a table of the noisy test MSE by default, in each format', async () => {
    const { code, stdout } = await run('compare', 'grid', '--effects')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Shares of the variance of test MSE, noisy input \(test_denoise_mse\)$/m)
    expect(stdout).toMatch(/^loss\.eigen\.weight +85\.8 +2 +0\.000252$/m)
    expect(stdout).toMatch(/^loss\.eigen\.weight × train\.batchSize +0\.4 +2 /m)
    const csv = (await run('compare', 'grid', '--effects', '--format', 'csv')).stdout
    expect(csv).toMatch(
      /^setting,kind,share,degrees_of_freedom,sum_of_squares\nloss\.eigen\.weight,setting,0\.8/,
    )
    const latex = (await run('compare', 'grid', '--effects', '--format', 'latex')).stdout
    expect(latex).toContain('loss.eigen.weight \\ensuremath{\\times} train.batchSize')
  })

  it('uses only the seeds that all arms have, and says so', async () => {
    writeGrid('failed', (arm, seed) => arm.includes('=0.3') && seed === 1)
    const { stdout } = await run('compare', 'failed', '--effects')
    expect(stdout.replaceAll('\n', ' ')).toContain(
      'Only the seeds that all arms have once are used, without 1.',
    )
    expect((await effectsOf('failed')).seeds).toEqual([0, 2, 3])
  })

  it('is refused with the reason if seeds or arms are lacking, or without a sweep', async () => {
    writeGrid('seeds', (arm, seed) => arm.includes('=0.3') && seed > 0)
    writeGrid('holes', (arm) => arm.includes('=0.3') && arm.endsWith('=64'))
    for (const [folders, reason] of [
      [['seeds'], 'the arms share 1 seed with test_denoise_mse; two are needed'],
      [['holes'], 'no compared run has test_denoise_mse in 1 of the 6 combinations of the settings'],
      [['grid', 'seeds'], 'the arms are not those of one sweep'],
    ] as const) {
      const { code, stderr } = await run('compare', ...folders, '--effects')
      expect([code, stderr]).toEqual([2, expect.stringContaining(`--effects: ${reason}`)])
      expect(await effectsOf(...folders)).toBeNull()
    }
  })

  it('has the variant as a setting, and leaves out variants without all settings', async () => {
    writeGrid('variants')
    const runs: string[] = readJson(scratch('variants', 'sweep.json')).runs
    const others = runs.map((name) => name.replace('eigen,', 'norm,'))
    for (const [index, name] of others.entries()) {
      const [, weight, size] = /weight=([\d.]+).*=(\d+)\//.exec(name)!
      const eigen = { kind: 'top-k', k: 2, weight: Number(weight), center: false }
      const testMse = grid!.observations[index]!.value + 0.01
      const arm = { eigen, batchNorm: 'all', batchSize: Number(size), seed: index % 4, testMse } as const
      writeRun(scratch('variants', name), arm)
    }
    writeRun(scratch('variants', 'none', 'seed-0'))
    const { grid: axes } = readJson(scratch('variants', 'sweep.json'))
    writePlan('variants', { grid: axes, runs: [...runs, ...others, 'none/seed-0'] })
    const { rows, notes } = await effectsOf('variants', '--metric', 'test_mse')
    const kinds = rows.map(({ settings }: { settings: readonly string[] }) => settings.join(' × '))
    expect(kinds).toContain('variant')
    expect(kinds).toContain(`variant × ${paths.a}`)
    // The same seeds were added the same amount, so nothing interacts with the variant.
    const row = rows[kinds.indexOf(`variant × ${paths.a}`)]
    expect([row.degrees_of_freedom, row.share < 1e-12]).toEqual([2, true])
    expect(notes).toEqual(['none: without all settings, so left out.'])
  })

  it('is a picture', async () => {
    const charts = comparisonCharts(await compareRuns([scratch('grid')], undefined))
    const chart = charts.find(({ name }) => name === 'effects')!
    const { values } = chart.spec.data as { readonly values: readonly { readonly name: string }[] }
    expect(values.map(({ name }) => name)).toEqual([
      paths.a,
      paths.b,
      `${paths.a} × ${paths.b}`,
      'seeds',
      'rest',
    ])
  })
})

describe('compare --effects of a search', () => {
  const [correlation] = expected.correlations

  beforeAll(() => {
    const trials = correlation!.left.map((learningRate, index) => {
      const arm = `eigen,trial-${String(index + 1).padStart(3, '0')}`
      const run = { learningRate, testMse: correlation!.right[index]! + 1, seed: 0 }
      writeRun(scratch('search', arm, 'seed-0'), { ...run, batchNorm: index % 3 === 0 ? 'all' : 'none' })
      return arm
    })
    const axes = {
      'optimizer.learningRate': { uniform: [0, 1] },
      'model.batchNorm': { choice: ['none', 'all'] },
      'loss.eigen.weight': { uniform: [0, 1] },
    }
    writePlan('search', {
      search: { trials: trials.length, seed: 0, spaces: { eigen: axes } },
      runs: trials.map((arm) => `${arm}/seed-0`),
    })
  })

  it('has the rank correlation of numbers with its interval, and ε² of words', async () => {
    const { design, rows } = await effectsOf('search')
    expect(design).toBe('search')
    const rate = rows.find(
      (row: { settings: readonly string[] }) => row.settings[0] === 'optimizer.learningRate',
    )
    expect(rate).toMatchObject({ variant: 'eigen', trials: 12, measure: 'spearman' })
    for (const [name, value] of Object.entries({
      value: correlation!.r,
      low: correlation!.low,
      high: correlation!.high,
    }))
      expect(rate[name]).toBeCloseTo(value, 12)
    const groups = correlation!.left.map((_, index) => (index % 3 === 0 ? 'all' : 'none'))
    const norm = rows.find((row: { settings: readonly string[] }) => row.settings[0] === 'model.batchNorm')
    expect(norm).toMatchObject({ measure: 'epsilon_squared', low: null })
    expect(norm.value).toBeCloseTo(epsilonSquared(groups, correlation!.right), 12)
    // The configs of the runs lack the third setting.
    expect(rows.length).toBe(2)
  })

  it('is a table and a picture', async () => {
    const { stdout } = await run('compare', 'search', '--effects')
    expect(stdout).toMatch(/^optimizer\.learningRate +12 +0\.84 +0\.43 to 0\.96 +–$/m)
    expect(stdout).toMatch(/^model\.batchNorm +12 +– +– +0\.\d\d$/m)
    const charts = comparisonCharts(await compareRuns([scratch('search')], undefined))
    expect(charts.map(({ name }) => name)).toContain('effects')
  })
})
