import { existsSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Config } from '../src/config/schema.js'
import { readSweepFile } from '../src/config/sweep.js'
import { planSweep } from '../src/sweeps/plan.js'
import { haltonAxis } from '../src/sweeps/trials.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
beforeAll(() => tinyConfigs(scratch(), 2))

const rate = { 'optimizer.learningRate': { log: [0.001, 0.03] } }
const file = (name: string, content: object) =>
  writeJson(scratch(`${name}.json`), { name, variants: { none: 'none.json' }, ...content })
const sweep = (config: string, ...args: readonly string[]) =>
  eigenae(['sweep', '--config', config, ...args], { cwd: scratch() })

interface PlannedArm {
  readonly name: string
  readonly config: Pick<Config, 'optimizer' | 'train'>
  readonly values: Readonly<Record<string, unknown>>
}

/** The arms of a sweep file with the values that the search sets. */
async function armsOf(config: string): Promise<readonly PlannedArm[]> {
  const { runs } = await planSweep(await readSweepFile(config), [])
  return runs.map(({ arm, config: { optimizer, train } }) => ({
    name: arm.name,
    config: { optimizer, train },
    values: Object.fromEntries(arm.settings.map(({ path, value }) => [path, value])),
  }))
}

const valuesOn = async (config: string, path: string) =>
  (await armsOf(config)).map(({ values }) => values[path] as number)

describe('the scrambled Halton sequence', () => {
  const primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]

  it.each(primes.map((base, axis) => [base, axis]))(
    'has one of each bᵏ points in each of bᵏ intervals, in base %i',
    (base, axis) => {
      for (const seed of [0, 7, 2 ** 32 - 1]) {
        const coordinateOf = haltonAxis(seed, axis)
        for (let count = base; count < 5000; count *= base) {
          for (const block of [0, 1, 5]) {
            const strata = Array.from({ length: count }, (_, i) =>
              Math.floor(coordinateOf(block * count + i) * count),
            )
            expect(new Set(strata).size).toBe(count)
            expect([Math.min(...strata), Math.max(...strata)]).toEqual([0, count - 1])
          }
        }
      }
    },
  )

  it('fills the plane of two axes as evenly: each of the 36 boxes of 2² × 3² has one of 36 points', () => {
    const [x, y] = [haltonAxis(7, 0), haltonAxis(7, 1)]
    const boxes = Array.from({ length: 36 }, (_, i) => `${Math.floor(x(i) * 4)} ${Math.floor(y(i) * 9)}`)
    expect(new Set(boxes).size).toBe(36)
  })

  it('is scrambled: other seeds give other points, and no two axes walk in step', () => {
    const points = (seed: number, axis: number) =>
      Array.from({ length: 40 }, (_, i) => haltonAxis(seed, axis)(i))
    expect(points(1, 0)).not.toEqual(points(2, 0))
    // The plain sequence has a correlation of .99 between the bases 41 and 43 here.
    for (const [a, b] of [
      [12, 13],
      [20, 21],
      [48, 49],
    ] as const)
      expect(Math.abs(correlation(points(7, a), points(7, b)))).toBeLessThan(0.5)
  })
})

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanA, meanB] = [mean(a), mean(b)]
  const product = (u: readonly number[], v: readonly number[], i: number) => (u[i]! - meanA) * (v[i]! - meanB)
  const covariance = a.reduce((sum, _, i) => sum + product(a, b, i), 0)
  const variance = (values: readonly number[], m: number) =>
    values.reduce((sum, value) => sum + (value - m) ** 2, 0)
  return covariance / Math.sqrt(variance(a, meanA) * variance(b, meanB))
}

describe('the trials of a search', () => {
  it('are the same for the same seed, and others for another', async () => {
    const trials = (seed: number) => armsOf(file('seeded', { search: { trials: 12, seed, space: rate } }))
    expect(await trials(7)).toEqual(await trials(7))
    expect(await trials(7)).not.toEqual(await trials(8))
  })

  it('only grow in number when there are more', async () => {
    const space = { ...rate, 'train.batchSize': { integer: [20, 100] } }
    const trials = (count: number) => armsOf(file('growing', { search: { trials: count, space } }))
    expect((await trials(30)).slice(0, 12)).toEqual(await trials(12))
  })

  it('have names that sort, and the values that their configs have', async () => {
    const arms = await armsOf(file('named', { search: { trials: 12, space: rate } }))
    const names = arms.map(({ name }) => name)
    expect(names.slice(0, 2)).toEqual(['none,trial-001', 'none,trial-002'])
    expect([...names].sort()).toEqual(names)
    for (const { config, values } of arms)
      expect(config.optimizer.learningRate).toBe(values['optimizer.learningRate'])
  })

  it('lie within their bounds, spread by the kind of axis', async () => {
    const space = {
      ...rate,
      'data.noise': { uniform: [0.1, 0.5] },
      'train.batchSize': { integer: [20, 23] },
      'model.batchNorm': { choice: ['none', 'all'] },
    }
    const config = file('spread', { search: { trials: 64, space } })
    const rates = await valuesOn(config, 'optimizer.learningRate')
    expect(rates.filter((value) => value < Math.sqrt(0.001 * 0.03)).length).toBe(32)
    expect([Math.min(...rates) >= 0.001, Math.max(...rates) <= 0.03]).toEqual([true, true])
    const noises = await valuesOn(config, 'data.noise')
    const lower = noises.filter((value) => value < 0.3).length
    expect([lower >= 30 && lower <= 34, Math.min(...noises) >= 0.1, Math.max(...noises) <= 0.5]).toEqual([
      true,
      true,
      true,
    ])
    expect(new Set(await valuesOn(config, 'train.batchSize'))).toEqual(new Set([20, 21, 22, 23]))
    expect(new Set(await valuesOn(config, 'model.batchNorm'))).toEqual(new Set(['none', 'all']))
  })

  it('have few digits, but enough for bounds that lie close together, and never leave the bounds', async () => {
    const short = await valuesOn(
      file('short', { search: { trials: 50, space: rate } }),
      'optimizer.learningRate',
    )
    for (const value of short) expect(Number(value.toPrecision(4))).toBe(value)
    const close = { 'optimizer.beta2': { uniform: [0.99811111, 0.99822222] } }
    const values = await valuesOn(file('close', { search: { trials: 50, space: close } }), 'optimizer.beta2')
    expect(new Set(values).size).toBe(50)
    for (const value of values) {
      expect(value).toBeGreaterThanOrEqual(0.99811111)
      expect(value).toBeLessThanOrEqual(0.99822222)
    }
  })

  it('share the values of shared axes between variants, beside those of their own', async () => {
    const own = { 'optimizer.beta1': { uniform: [0.5, 0.95] }, 'data.noise': null }
    const variants = { none: 'none.json', tuned: { config: 'none.json', space: own } }
    const space = { 'data.noise': { uniform: [0.1, 0.5] }, ...rate }
    const arms = await armsOf(file('shared', { variants, search: { trials: 5, space } }))
    const [none, tuned] = ['none', 'tuned'].map((variant) =>
      arms.filter(({ name }) => name.startsWith(variant)),
    )
    expect(Object.keys(none![0]!.values)).toEqual(['data.noise', 'optimizer.learningRate'])
    expect(Object.keys(tuned![0]!.values)).toEqual(['optimizer.learningRate', 'optimizer.beta1'])
    const rates = (of: readonly PlannedArm[]) => of.map(({ values }) => values['optimizer.learningRate'])
    expect(rates(tuned!)).toEqual(rates(none!))
  })

  it('meet the grid; a variant without axes has no trials', async () => {
    const variants = { none: 'none.json', eigen: { config: 'eigen.json', space: rate } }
    const grid = { 'train.batchSize': [20, 50] }
    const arms = await armsOf(file('both', { variants, grid, search: { trials: 2 } }))
    expect(arms.map(({ name }) => name)).toEqual([
      'none,train.batchSize=20',
      'none,train.batchSize=50',
      'eigen,train.batchSize=20,trial-001',
      'eigen,train.batchSize=20,trial-002',
      'eigen,train.batchSize=50,trial-001',
      'eigen,train.batchSize=50,trial-002',
    ])
    expect(arms[2]!.config.optimizer).toEqual(arms[4]!.config.optimizer)
  })

  it('are left out, with a note, if their values came before', async () => {
    const space = { 'train.batchSize': { choice: [20, 50] } }
    const { code, stdout, stderr } = await sweep(file('few', { search: { trials: 9, space } }), '--dry-run')
    expect(stdout.trimEnd().split('\n').length).toBe(1 + 2)
    expect(stderr).toContain(
      'note: 7 of the 9 trials of variants.none have the values of an earlier trial and are left out\n',
    )
    expect(code).toBe(0)
  })

  it('are counted before they are drawn', async () => {
    const search = { trials: 100_000, space: rate }
    const { code, stderr } = await sweep(file('many', { search, seeds: [0, 1] }), '--dry-run')
    expect(stderr).toContain('this sweep has 200,000 runs, more than the limit of 100,000\n')
    expect(stderr).toContain('(1 config × 100,000 trials + 0 configs) × 2 seeds')
    expect(code).toBe(2)
  })
})

describe('a mistake in a search', () => {
  it('is refused with its place, all at once', async () => {
    const space = {
      'optimizer.learningRate': { lgo: [0.001, 0.03] },
      'optimizer.beta1': { uniform: [0.9, 0.5] },
      'optimizer.beta2': { uniform: [0.9] },
      'optimizer.epsilon': [1e-8, 1e-6],
      'data.noise': { log: [0, 1] },
      'data.limit': { integer: [0.5, 2] },
      'train.epochs': { choice: [] },
      'train.batchSize': { choice: [64] },
      model: { choice: [{}] },
      seed: { integer: [0, 5] },
    }
    const own = {
      'a..b': { choice: [1] },
      'spectrum.images': null,
      'loss.eigen.k': { log: [1, 2], choice: [1] },
    }
    const variants = { none: 3, eigen: { config: 'eigen.json', spce: {}, space: own } }
    const grid = { 'train.batchSize': [20], 'model.widths': [[784, 4]], loss: [{}] }
    const { code, stdout, stderr } = await sweep(
      file('wrong', { variants, grid, search: { trials: 0, sed: 1, space } }),
    )
    const lines = stderr.split('\n').map((line) => line.replace(/^ {2}\d+:\d+ /, ''))
    for (const line of [
      'search.trials: must be at least 1 (got 0)',
      'search.sed: unknown key; did you mean "seed"?',
      'search.space.optimizer.learningRate: unknown kind of axis "lgo"; did you mean "log"? (got {"lgo":[0.001,0.03]})',
      'search.space.optimizer.beta1.uniform: the lower bound must be less than the upper (got [0.9,0.5])',
      'search.space.optimizer.beta2: uniform must be [low, high], two numbers (got {"uniform":[0.9]})',
      'search.space.data.noise.log.0: must be over 0 (got 0)',
      'search.space.data.limit: integer must be [low, high], two whole numbers (got {"integer":[0.5,2]})',
      'search.space.train.epochs.choice: must be a list of at least 1 (got [])',
      'search.space.train.batchSize: is in the grid too; a config path is either in the grid or searched',
      'search.space.model: holds model.widths, which is in the grid',
      'search.space.seed: cannot be searched: the seeds are listed in "seeds"',
      'variants.none: must be the path of a config file, or {"config": path, "space": {…}, "fixed": […]} (got 3)',
      'variants.eigen.spce: unknown key; did you mean "space"?',
      'variants.eigen.space.a..b: is not a config path like train.batchSize',
      "variants.eigen.space.spectrum.images: is null, but the search's space has no such axis",
      'variants.eigen.space.loss.eigen.k: is a part of loss, which is in the grid',
    ])
      expect(lines).toContain(line)
    expect(stderr).toContain('search.space.optimizer.epsilon: must be an axis like {"log": [low, high]}')
    expect(stderr).toContain('variants.eigen.space.loss.eigen.k: must have exactly one of uniform, log')
    expect([code, stdout]).toEqual([2, ''])
  })

  it('is refused if the configs do not take the path or a bound, once for all trials and variants', async () => {
    const space = {
      'optimizer.lr': { log: [0.001, 0.03] },
      'optimizer.beta1': { uniform: [0.5, 2] },
      'train.batchSize': { choice: [50, 'no', 3] },
    }
    const variants = { none: 'none.json', eigen: 'eigen.json' }
    const { code, stderr } = await sweep(
      file('unknown', { variants, search: { trials: 9, space } }),
      '--dry-run',
    )
    expect(stderr.trimEnd().split('\n').length).toBe(1 + 4)
    expect(stderr).toMatch(
      / {2}\d+:\d+ search\.space\.optimizer\.lr: unknown key; did you mean "learningRate"\? \(variants none, eigen\)\n/,
    )
    expect(stderr).toContain('search.space.optimizer.beta1: must be under 1 (got 2) (variants none, eigen)\n')
    expect(stderr).toContain(
      'search.space.train.batchSize: must be a number (got "no") (variants none, eigen)\n',
    )
    expect(stderr).toMatch(
      /search\.space\.train\.batchSize: must be over 4, .* \(got 3\) \(variant eigen\)\n/,
    )
    expect(code).toBe(2)
    expect(existsSync(scratch('runs', 'unknown'))).toBe(false)
  })

  it('is refused if axes hold each other, none is there, or there are more than 50', async () => {
    const nested = { train: { choice: [{}] }, 'train.batchSize': { choice: [50] } }
    const axes = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`a.b${i}`, { choice: [1] }]))
    const refusal = async (content: object) => (await sweep(file('odd', content), '--dry-run')).stderr
    expect(await refusal({ search: { trials: 2, space: nested } })).toContain(
      'search.space.train: holds train.batchSize, which is an axis of its own\n',
    )
    expect(await refusal({ search: { trials: 2 } })).toContain(
      'search: needs "space" with at least one axis, here or in a variant',
    )
    expect(await refusal({ search: { trials: 2, space: axes } })).toContain(
      'search.space: must have at most 50 axes (got 51)\n',
    )
    expect(await refusal({ variants: { none: { config: 'none.json', space: rate } } })).toContain(
      'variants.none.space: needs "search" in the sweep file, with the number of trials\n',
    )
  })

  it('is a --set of what is searched', async () => {
    const config = file('set', { search: { trials: 2, space: rate } })
    const { code, stderr } = await sweep(config, '--dry-run', '--set', 'optimizer.learningRate=0.1')
    expect(stderr).toContain(
      '--set optimizer.learningRate: the search of the sweep file sets optimizer.learningRate\n',
    )
    expect(code).toBe(2)
  })

  it('is a field of an eigen loss that a config lacks, unless the variant fixes it or the kind is searched', async () => {
    const weight = { 'loss.eigen.weight': { uniform: [0, 1] } }
    const { code, stderr } = await sweep(file('given', { search: { trials: 2, space: weight } }), '--dry-run')
    expect(stderr).toMatch(
      / {2}\d+:\d+ search\.space\.loss\.eigen\.weight: the config has no loss\.eigen; set loss\.eigen\.kind as well to add one, or keep the variant out with "fixed" \(variant none\)\n/,
    )
    expect(code).toBe(2)
    const variants = { none: { config: 'none.json', fixed: ['loss.eigen'] }, eigen: 'eigen.json' }
    const apart = { variants, search: { trials: 2, space: { ...weight, ...rate } } }
    const arms = await armsOf(file('apart', apart))
    expect(arms.map(({ name }) => name)).toEqual([
      ...['none,trial-001', 'none,trial-002'],
      ...['eigen,trial-001', 'eigen,trial-002'],
    ])
    expect(Object.keys(arms[0]!.values)).toEqual(['optimizer.learningRate'])
    expect(arms[2]!.values['optimizer.learningRate']).toBe(arms[0]!.values['optimizer.learningRate'])
    const one = await armsOf(file('one', { variants, search: { trials: 2, space: weight } }))
    expect(one.map(({ name }) => name)).toEqual(['none', 'eigen,trial-001', 'eigen,trial-002'])
    const kind = { 'loss.eigen.kind': { choice: ['top-k', 'entropy'] }, ...weight }
    const added = await sweep(file('added', { search: { trials: 2, space: kind } }), '--dry-run')
    expect([added.code, added.stderr]).toEqual([
      0,
      expect.stringContaining(
        "note: the search's loss.eigen.kind adds an eigen loss to variants.none, whose config has none\n",
      ),
    ])
  })

  it('is a fixed path that no config has, that the sweep sets itself, or that the own space searches', async () => {
    const none = { config: 'none.json', fixed: ['loss.eigne', 'seed', 'optimizer'], space: rate }
    const { code, stderr } = await sweep(
      file('fixed', { variants: { none }, grid: { 'optimizer.beta1': [0.5] }, search: { trials: 2 } }),
    )
    for (const line of [
      'variants.none.fixed.0: loss.eigne: is not a config field\n',
      'variants.none.fixed.1: seed: cannot be fixed: the seeds are listed in "seeds"\n',
      'variants.none.space.optimizer.learningRate: is fixed in this variant\n',
      'grid.optimizer.beta1: is fixed in every variant\n',
    ])
      expect(stderr).toContain(line)
    expect(code).toBe(2)
  })
})

describe('a sweep with a search', () => {
  it('trains its trials, and with more trials only the new ones', async () => {
    const config = (trials: number) => file('trained', { search: { trials, space: rate }, seeds: [0, 1] })
    const first = await sweep(config(2))
    expect(first.code).toBe(0)
    expect(first.stderr).toContain('4 runs completed')
    // Their learning rates differ on purpose, so that no warning is due.
    expect(first.stderr).not.toContain('warning')
    expect(first.stdout).toContain('learningRate=')
    const listed = await sweep(config(4), '--dry-run', '--json')
    const events = listed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.filter(({ state }) => state === 'done').length).toBe(4)
    expect(events.at(-1).differs['optimizer.learningRate']).toBeGreaterThan(0)
    const more = await sweep(config(4), '--resume')
    expect(more.stderr).toContain('8 runs, 4 done')
    expect(more.stderr).toContain('\n4 runs are new in the sweep file\n')
    await sweep(config(4), '--out', scratch('whole'))
    const runs = events.map(({ run }) => run as string)
    await expectSameRuns(runs, scratch('runs', 'trained'), scratch('whole'))
    expect(readJson(scratch('whole', 'sweep.json')).search).toEqual({
      trials: 4,
      seed: 0,
      spaces: { none: rate },
    })
  })

  it('refuses to resume with another space', async () => {
    const config = (high: number) =>
      file('changed', { search: { trials: 1, space: { 'optimizer.learningRate': { log: [0.001, high] } } } })
    await sweep(config(0.03))
    const { code, stderr } = await sweep(config(0.1), '--resume')
    expect(stderr).toContain('folders of this sweep hold runs whose config differs from the sweep file')
    expect(stderr).toMatch(/none,trial-001\/seed-0 \(completed\): optimizer\.learningRate/)
    expect(code).toBe(2)
  })
})
