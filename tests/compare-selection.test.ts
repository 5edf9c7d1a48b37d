import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/comparison/compare.js'
import { comparisonCharts } from '../src/plots/comparison-pictures.js'
import { drawnOf, drawnText } from '../src/plots/drawn.js'
import { planFormat } from '../src/runs/sweep-plan.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'
import { writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const compare = (...args: readonly string[]) => eigenae(['compare', ...args], { cwd: scratch() })

interface Group {
  readonly label: string
  readonly seeds: readonly number[]
}

/** Returns the labels of the compared arms in their order. */
async function labelsOf(...args: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await compare(...args, '--json')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout).groups.map(({ label }: Group) => label)
}

const sizes = [32, 64, 128, 256]

beforeAll(() => {
  const grid = { 'train.batchSize': sizes, 'loss.eigen.weight': [0.1, 1] }
  const arms = sizes.flatMap((size) =>
    [0.1, 1].map((weight) => ({
      ...{ size, weight },
      name: `eigen,train.batchSize=${size},loss.eigen.weight=${weight}`,
    })),
  )
  for (const [index, { size, weight, name }] of arms.entries())
    for (const seed of [0, 1, 2])
      writeRun(scratch('grid', name, `seed-${seed}`), {
        ...{ seed, batchSize: size, effectiveRank: 1 + index / 4 },
        eigen: { kind: 'top-k', k: 2, weight, center: false },
        // From the last arm to the first, the errors grow.
        testMse: 0.03 - 0.001 * index + 0.0001 * seed * (1 + (index % 3)),
      })
  const runs = [0, 1, 2].flatMap((seed) => arms.map(({ name }) => `${name}/seed-${seed}`))
  const baseline = 'eigen,train.batchSize=32,loss.eigen.weight=0.1'
  writeJson(scratch('grid/sweep.json'), { format: planFormat, name: 'grid', baseline, grid, runs })
})

const nameOf = (size: number, weight: number) => `eigen batchSize=${size} weight=${weight}`
const first = nameOf(32, 0.1)

describe('eigenae compare --sort and --top', () => {
  it('sort the arms by the mean of a metric, the best first', async () => {
    const ascending = sizes.flatMap((size) => [nameOf(size, 0.1), nameOf(size, 1)])
    expect(await labelsOf('grid')).toEqual(ascending)
    expect(await labelsOf('grid', '--sort', 'test_mse')).toEqual(ascending.toReversed())
    expect(await labelsOf('grid', '--sort', 'effective_rank')).toEqual(ascending.toReversed())
  })

  it('keep the best arms and the baseline, whose mean the differences refer to', async () => {
    const shown = [nameOf(256, 1), nameOf(256, 0.1), first]
    expect(await labelsOf('grid', '--sort', 'test_mse', '--top', '2')).toEqual(shown)
    expect(await labelsOf('grid', '--top', '2')).toEqual(shown)
    const { stdout } = await compare('grid', '--top', '2')
    expect(stdout).toMatch(/^batchSize=256 weight=1 +3 +[\d.]+ ± [\d.]+ \*/m)
    expect(stdout).toMatch(/^batchSize=32 weight=0\.1 † +3 /m)
    expect(stdout).not.toContain('batchSize=64')
  })

  it('correct the p-values over the arms that --top hides, too', async () => {
    const pOf = async (...args: readonly string[]) => {
      const { rows } = JSON.parse((await compare('grid', '--metric', 'test_mse', '--json', ...args)).stdout)
      return rows.find(({ label }: Group) => label === nameOf(256, 1)).p_value
    }
    expect(await pOf('--top', '2')).toBe(await pOf())
    const alone = await pOf('--arms', nameOf(256, 1))
    expect(alone).toBeLessThan(await pOf())
  })

  it('reject an unknown metric with a near name', async () => {
    const { code, stderr } = await compare('grid', '--sort', 'test_mze')
    expect([code, stderr]).toEqual([
      2,
      'eigenae: --sort: unknown metric "test_mze"\nDid you mean test_mse?\n',
    ])
    expect((await compare('grid', '--top', '0')).stderr).toContain('--top: must be a whole number from 1')
  })
})

describe('eigenae compare --arms', () => {
  it('takes names of the table and of folders, whose commas are not separators', async () => {
    const folder = 'eigen,train.batchSize=64,loss.eigen.weight=1'
    const list = `${nameOf(128, 1)},${folder},grid/eigen,train.batchSize=256,loss.eigen.weight=0.1`
    const expected = [first, nameOf(64, 1), nameOf(128, 1), nameOf(256, 0.1)]
    expect(await labelsOf('grid', '--arms', list)).toEqual(expected)
  })

  it('rejects an unknown arm with a near name', async () => {
    const { code, stderr } = await compare('grid', '--arms', 'eigen batchSize=128 weigth=1')
    expect([code, stderr]).toEqual([
      2,
      'eigenae: --arms: unknown arm "eigen batchSize=128 weigth=1"\nDid you mean eigen batchSize=128 weight=1?\n',
    ])
    expect((await compare('grid', '--arms', 'x')).stderr).toContain(
      'unknown arm "x"\nThe arms: eigen batchSize=32',
    )
  })
})

describe('eigenae compare --where', () => {
  it('keeps the arms that match all conditions, and the baseline', async () => {
    const where = ['--where', 'train.batchSize>=128', '--where', 'loss.eigen.weight=1']
    expect(await labelsOf('grid', ...where)).toEqual([first, nameOf(128, 1), nameOf(256, 1)])
  })

  it('selects runs by other facts, in the baseline too', async () => {
    const { stdout } = await compare('grid', '--where', 'seed<2', '--json')
    const seeds = JSON.parse(stdout).groups.map((group: Group) => group.seeds)
    expect(seeds).toEqual(Array.from({ length: 8 }, () => [0, 1]))
  })

  it('takes a condition on a metric for the mean of an arm, not for single runs', async () => {
    // The runs of the arm have 0.0230, 0.0232 and 0.0234.
    expect(await labelsOf('grid', '--where', 'test_mse<0.02321')).toEqual([first, nameOf(256, 1)])
    const { stdout } = await compare('grid', '--where', 'test_mse<0.02321', '--json')
    expect(JSON.parse(stdout).groups[1].seeds).toEqual([0, 1, 2])
  })

  it('rejects unknown names with their place', async () => {
    const { code, stderr } = await compare('grid', '--where', 'train.batchsize=64')
    expect(stderr).toContain('--where: unknown name "train.batchsize", at character 1\n')
    expect(stderr).toContain('Did you mean train.batchSize?')
    expect(code).toBe(2)
  })

  it('fails if nothing matches, unless a baseline was named, which stays', async () => {
    const grid = { 'train.batchSize': [32, 64] }
    const arms = grid['train.batchSize'].map((size) => `none,train.batchSize=${size}`)
    for (const [index, arm] of arms.entries())
      writeRun(scratch('loose', arm, 'seed-0'), { batchSize: grid['train.batchSize'][index]! })
    const runs = arms.map((arm) => `${arm}/seed-0`)
    writeJson(scratch('loose/sweep.json'), { format: planFormat, name: 'loose', grid, runs })
    for (const condition of ['seed>7', 'test_mse<0.001']) {
      const { code, stderr } = await compare('loose', '--where', condition)
      expect([code, stderr]).toEqual([2, 'eigenae: no arm that can be compared matches --arms and --where\n'])
    }
    const named = ['--baseline', 'none batchSize=64', '--where', 'seed>7']
    expect(await labelsOf('loose', ...named)).toEqual(['none batchSize=64'])
  })
})

describe('a grid with validation images', () => {
  const arms = [0.01, 0.02, 0.03].map((rate) => ({ rate, name: `none,optimizer.learningRate=${rate}` }))

  beforeAll(() => {
    // The validation error grows with the rate, and the test error falls.
    for (const { rate, name } of arms)
      writeRun(scratch('held', name, 'seed-0'), {
        ...{ learningRate: rate, testMse: 0.05 - rate },
        validation: { images: 100, mse: rate },
      })
    const grid = { 'optimizer.learningRate': arms.map(({ rate }) => rate) }
    const runs = arms.map(({ name }) => `${name}/seed-0`)
    writeJson(scratch('held/sweep.json'), { format: planFormat, name: 'held', grid, runs })
  })

  it('has its validation error in the first column, but in the last ones of CSV', async () => {
    const { stdout } = await compare('held', '--format', 'markdown')
    expect(stdout).toMatch(/^\| arm \| n \| noisy validation MSE \| test MSE \| noisy test MSE \|/)
    expect((await compare('held', '--details')).stdout.indexOf('(validation_denoise_mse)')).toBeLessThan(
      (await compare('held', '--details')).stdout.indexOf('(test_mse)'),
    )
    const csv = await compare('held', '--format', 'csv')
    expect(csv.stdout).toMatch(/^label,n,test_mse,test_mse_low,.*validation_denoise_mse,/)
  })

  it('is sorted and drawn by it', async () => {
    expect(await labelsOf('held', '--top', '1')).toEqual(['none learningRate=0.01'])
    const comparison = await compareRuns([scratch('held')], undefined)
    expect(comparison.rankedBy).toBe('validation_denoise_mse')
    const [swept] = comparisonCharts(comparison).filter(({ name }) => name === 'swept')
    const { data } = swept!.spec as { data: { values: { ringed?: boolean; panel: number; mean: number }[] } }
    const ringed = data.values.filter((row) => row.ringed && row.panel === 0)
    expect(ringed.map(({ mean }) => mean)).toEqual([0.01])
    expect(JSON.stringify(swept!.spec)).toContain('validation MSE, noisy input')
  })

  it('warns of a choice by a test metric', async () => {
    const { stderr } = await compare('held', '--sort', 'test_mse')
    expect(stderr).toBe(
      'warning: test_mse is measured on test images, which a choice by it makes biased; these runs have validation_denoise_mse\n',
    )
    expect((await compare('held')).stdout).not.toContain('A choice on test images is biased')
    const without = (await compare('grid')).stdout.replaceAll('\n', ' ')
    expect(without.split('A choice on test images is biased').length).toBe(2)
    for (const noise of [0.1, 0.2]) writeRun(scratch('plain', `arm-${noise}`, 'seed-0'), { noise })
    const plain = async (...args: readonly string[]) => (await compare('plain', ...args)).stdout
    expect(await plain()).not.toContain('A choice on test images')
    expect(await plain('--sort', 'effective_rank')).not.toContain('A choice on test images')
    expect(await plain('--sort', 'test_mse')).toContain('A choice on test images is biased')
  })

  it('marks the best arm as chosen among all arms of its sweep, however few are compared', async () => {
    const note = 'The best of 8 arms looks better than it is: train it again with other seeds.'
    for (const more of [[], ['--top', '2'], ['--details'], ['--format', 'latex']])
      expect((await compare('grid', ...more)).stdout.replaceAll('\n', ' '), more.join(' ')).toContain(note)
    const amongOf = async (...args: readonly string[]) =>
      JSON.parse((await compare(...args, '--json')).stdout).chosen_among
    const [one, other] = ['0.1', '1'].map(
      (weight) => `grid/eigen,train.batchSize=64,loss.eigen.weight=${weight}`,
    )
    expect(await amongOf('grid')).toBe(8)
    expect(await amongOf(one!)).toBe(8)
    expect(await amongOf(one!, other!, 'plain/arm-0.1')).toBe(9)
    expect(await amongOf('plain')).toBeNull()
    expect(await amongOf('plain', '--top', '1')).toBe(2)
    const { stdout } = await eigenae(['best', one!, other!, '--metric', 'test_mse'], { cwd: scratch() })
    expect(stdout).toContain(note)
  })
})

describe('comparison.csv', () => {
  it('has a column for each config path in which the arms differ, after the others', async () => {
    const { stdout } = await compare('grid', '--top', '1', '--metric', 'test_mse', '--format', 'csv')
    const [header, ...rows] = stdout.trimEnd().split('\n')
    expect(header).toMatch(/,detectable_difference,loss\.eigen\.weight,train\.batchSize$/)
    expect(rows.map((row) => row.split(',').slice(-2).join())).toEqual(['1,256', '0.1,32'])
    const same = await compare('grid', '--arms', first, '--metric', 'test_mse', '--format', 'csv')
    expect(same.stdout.split('\n')[0]).toMatch(/,detectable_difference$/)
  })
})

describe('the files of a selection', () => {
  it('have the selected arms alone, and the command that made them', async () => {
    const selection = ['--where', 'loss.eigen.weight=1', '--sort', 'test_mse', '--top', '1']
    const { code, stderr } = await compare('grid', ...selection, '--out', 'report')
    expect(code, stderr).toBe(0)
    const { command, groups } = JSON.parse(readFileSync(scratch('report/comparison.json'), 'utf8'))
    expect(groups.map(({ label }: Group) => label)).toEqual([nameOf(256, 1), first])
    for (const word of selection) expect(command).toContain(word)
    const csv = readFileSync(scratch('report/comparison.csv'), 'utf8')
    expect(csv).toContain('train.batchSize=256')
    expect(csv).not.toContain('train.batchSize=64')
    const svg = readFileSync(scratch('report/final.svg'), 'utf8')
    expect(svg).toContain('batchSize=256 weight=1')
    expect(svg).not.toContain('batchSize=128')
    expect(readFileSync(scratch('report/report.html'), 'utf8')).not.toContain('batchSize=128')
  })
})

describe('pictures of too many arms', () => {
  it('keep the best ones by the metric of --sort, or by the error on noisy images, and the baseline', async () => {
    const comparison = await compareRuns([scratch('grid')], undefined)
    const drawn = (most: number) => drawnOf(comparison, most).map(({ label }) => label)
    expect(drawn(3)).toEqual([first, nameOf(256, 0.1), nameOf(256, 1)])
    expect(drawnText(comparison, 3)).toBe('the baseline and the best 2 of 8 arms by noisy test MSE')
    expect(drawnText(comparison, 8)).toBe(null)
    const sorted = await compareRuns([scratch('grid')], undefined, { sort: 'effective_rank' })
    expect(drawnText(sorted, 3)).toBe('the baseline and the best 2 of 8 arms by effective rank')
    const leading = await compareRuns([scratch('grid')], nameOf(256, 1))
    expect(drawnText(leading, 3)).toBe('the best 3 of 8 arms by noisy test MSE')
  })
})
