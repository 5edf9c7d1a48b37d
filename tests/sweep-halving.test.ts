import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/comparison/compare.js'
import { type Halving, readSweepFile } from '../src/config/sweep.js'
import { comparisonCharts } from '../src/plots/comparison-pictures.js'
import { climb } from '../src/sweeps/halving.js'
import { planSweep } from '../src/sweeps/plan.js'
import { eigenae, scratchFolder, start } from './support/cli.js'
import { holdAt } from './support/hold.js'
import { expectSameRuns, killIfThere, readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const rate = { 'optimizer.learningRate': { log: [0.001, 0.03] } }
const halving = { metric: 'validation_denoise_mse', epochs: [1, 2, 4], keep: 0.4 }

const file = (name: string, search: object, content: object = {}) =>
  writeJson(scratch(`${name}.json`), {
    name,
    variants: { held: 'held.json' },
    search: { space: rate, halving, ...search },
    seeds: [0, 1],
    ...content,
  })
/** One job at a time, because each has a process of its own, and on one thread, because other files train beside it. */
const sweepArgs = (config: string, out: string) => [
  ...['sweep', '--config', config, '--out', scratch(out), '--jobs', '1', '--threads', '1'],
]
const sweep = (config: string, out: string, ...args: readonly string[]) =>
  eigenae([...sweepArgs(config, out), ...args])

/** The names of the trials at each rung, by sweep.json. */
const rungsOf = (out: string) =>
  readJson(scratch(out, 'sweep.json')).rungs as readonly { epochs: number; trials: readonly string[] }[]

/** The epochs of the runs of a sweep, by their folders. */
function epochsOf(out: string): Readonly<Record<string, number>> {
  const runs = readJson(scratch(out, 'sweep.json')).runs as readonly string[]
  return Object.fromEntries(runs.map((run) => [run, readJson(scratch(out, run, 'run.json')).epochs]))
}

beforeAll(async () => {
  tinyConfigs(scratch(), 10)
  // The weight of the eigen loss falls over the epochs of the last rung.
  const weight = { from: 1, to: 0.1, shape: 'cosine', epochs: 4 }
  const { data, ...rest } = readJson(scratch('eigen.json'))
  const eigen = { ...rest.loss.eigen, weight }
  writeJson(scratch('held.json'), { ...rest, data: { ...data, validation: 50 }, loss: { eigen } })
  const { code } = await sweep(file('five', { trials: 5 }), 'undisturbed')
  expect(code).toBe(0)
})

describe('the rungs of a halving', () => {
  const rule: Halving = { ...halving, chooseOnTest: false }

  /** Returns the numbers of the trials at each rung, from the values of trials 1, 2, … for both seeds at every rung. */
  async function climbed(values: readonly (readonly (number | null | undefined)[])[], changed: object = {}) {
    const plan = await planSweep(await readSweepFile(file('pure', { trials: values.length })), [])
    const rungs = climb(
      plan,
      { ...rule, ...changed },
      ({ arm, config }) => values[arm.trial! - 1]![config.seed],
    )
    return rungs.map(({ trials }) => trials.map(({ trial }) => trial))
  }

  it('keep the given share, rounded, of the best means, and at least one trial', async () => {
    const values = [5, 3, 8, 1, 9, 2].map((value) => [value, value + 1])
    expect(await climbed(values)).toEqual([[1, 2, 3, 4, 5, 6], [4, 6], [4]])
    expect(await climbed(values, { keep: 0.75 })).toEqual([
      [1, 2, 3, 4, 5, 6],
      [1, 2, 3, 4, 6],
      [1, 2, 4, 6],
    ])
    expect(await climbed(values, { metric: 'effective_rank' })).toEqual([[1, 2, 3, 4, 5, 6], [3, 5], [5]])
  })

  it('prefer the narrower interval among equal means, then the earlier trial', async () => {
    const values = [
      [2, 4],
      [3, 3],
      [1, 5],
      [3, 3],
      [9, 9],
    ]
    expect(await climbed(values)).toEqual([[1, 2, 3, 4, 5], [2, 4], [2]])
    expect(await climbed(values, { keep: 0.6 })).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 4],
      [2, 4],
    ])
  })

  it('keep no trial with a failed seed, and wait for all seeds', async () => {
    expect(
      await climbed([
        [1, null],
        [5, 5],
        [null, null],
        [6, 6],
        [7, 7],
      ]),
    ).toEqual([[1, 2, 3, 4, 5], [2, 4], [2]])
    expect(
      await climbed([
        [1, null],
        [null, 5],
      ]),
    ).toEqual([[1, 2], [], []])
    expect(
      await climbed([
        [1, 1],
        [5, undefined],
        [2, 2],
      ]),
    ).toEqual([[1, 2, 3]])
  })

  it('are those of each variant and each combination of the grid on its own', async () => {
    const variants = { held: 'held.json', other: 'held.json' }
    const config = file('families', { trials: 3 }, { variants, grid: { 'train.batchSize': [25, 50] } })
    const plan = await planSweep(await readSweepFile(config), [])
    const rungs = climb(plan, rule, ({ arm }) => plan.arms.indexOf(arm))
    expect(rungs[2]!.trials.map(({ name }) => name)).toEqual(
      ['held', 'other'].flatMap((variant) =>
        [25, 50].map((size) => `${variant},train.batchSize=${size},trial-001`),
      ),
    )
  })
})

describe('a search with halving', () => {
  it('trains trials to their rungs, and those of the last rung have the bytes of runs that had all epochs at once', async () => {
    const [all, some, last] = rungsOf('undisturbed')
    expect([all!.trials.length, some!.trials.length, last!.trials.length]).toEqual([5, 2, 1])
    for (const [run, epochs] of Object.entries(epochsOf('undisturbed'))) {
      const arm = run.split('/')[0]!
      expect(epochs).toBe(last!.trials.includes(arm) ? 4 : some!.trials.includes(arm) ? 2 : 1)
    }
    const run = `${last!.trials[0]}/seed-1`
    const { optimizer } = readJson(scratch('undisturbed', run, 'config.json'))
    const settings = ['seed=1', 'train.epochs=4', `optimizer.learningRate=${optimizer.learningRate}`]
    const args = ['train', '--config', scratch('held.json'), '--out', scratch('at-once')]
    expect((await eigenae([...args, ...settings.flatMap((each) => ['--set', each])])).code).toBe(0)
    await expectSameRuns(['.'], scratch('undisturbed', run), scratch('at-once'))
    expect((await eigenae(['verify', scratch('undisturbed')])).code).toBe(0)
  })

  it('chooses the best means of metrics.csv at each rung', () => {
    const meanAfter = (arm: string, epochs: number) => {
      const values = [0, 1].map((seed) => {
        const lines = readFileSync(scratch('undisturbed', arm, `seed-${seed}`, 'metrics.csv'), 'utf8').split(
          '\n',
        )
        return Number(lines[epochs]!.split(',')[lines[0]!.split(',').indexOf('validation_denoise_mse')])
      })
      return (values[0]! + values[1]!) / 2
    }
    const [all, some, last] = rungsOf('undisturbed')
    const best = (arms: readonly string[], epochs: number, count: number) =>
      arms.toSorted((a, b) => meanAfter(a, epochs) - meanAfter(b, epochs)).slice(0, count)
    expect(some!.trials.toSorted()).toEqual(best(all!.trials, 1, 2).toSorted())
    expect(last!.trials).toEqual(best(some!.trials, 2, 1))
  })

  it('prints its rungs, the trials of the last one and the epochs that it saved, and has nothing to do again', async () => {
    const { code, stderr } = await sweep(scratch('five.json'), 'undisturbed', '--resume')
    const [survivor] = rungsOf('undisturbed')[2]!.trials
    expect(stderr).toContain('10 runs, 10 done, local: nothing to do')
    expect(stderr).toContain(
      `halving by validation_denoise_mse: 5 trials to 1 epoch, 2 trials to 2 epochs, 1 trial to 4 epochs; 18 epochs instead of 40, 55 % saved\nlast rung: ${survivor}\n`,
    )
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('lengthened')])
  })

  it('is listed by --dry-run with its rungs', async () => {
    const config = file('listed', { trials: 10 })
    const { stderr } = await sweep(config, 'listed', '--dry-run')
    expect(stderr).toContain(
      'rung 1: 10 trials, 20 runs to 1 epoch\nrung 2: 4 trials, 8 runs to 2 epochs\nrung 3: 2 trials, 4 runs to 4 epochs\n',
    )
    const { stdout } = await sweep(config, 'listed', '--dry-run', '--json')
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1)!)).toEqual({
      ...{ event: 'planned-rung', rung: 3, epochs: 4, trials: 2, runs: 4 },
    })
  })

  it('promotes the same trials with any number of workers, and reports its rungs with --json', async () => {
    const { stdout } = await sweep(scratch('five.json'), 'two', '--jobs', '2', '--json')
    expect(rungsOf('two')).toEqual(rungsOf('undisturbed'))
    await expectSameRuns(Object.keys(epochsOf('two')), scratch('two'), scratch('undisturbed'))
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const rungs = events.filter(({ event }) => event === 'rung')
    expect(rungs.map(({ rung, rungs, epochs, runs }) => [rung, rungs, epochs, runs.length])).toEqual([
      ...[
        [1, 3, 1, 10],
        [2, 3, 2, 4],
        [3, 3, 4, 2],
      ],
    ])
    expect(events.find(({ event }) => event === 'halved')).toEqual({
      ...{
        event: 'halved',
        metric: 'validation_denoise_mse',
        rungs: rungsOf('two'),
        epochs: 18,
        epochs_without: 40,
      },
    })
    expect(events.at(-1)).toMatchObject({ event: 'finished', completed: 10, failed: 0, left: 0 })
  })

  it('promotes the same trials after kills in any rung', async () => {
    const [, some, last] = rungsOf('undisturbed')
    const args = [...sweepArgs(scratch('five.json'), 'killed'), '--resume']
    for (const [epoch, run] of [
      [1, 'held,trial-003/seed-1'],
      [2, `${some!.trials[1]}/seed-0`],
      [3, `${last!.trials[0]}/seed-1`],
    ] as const) {
      const hold = holdAt(epoch, { run })
      const running = start(args, { env: hold.env })
      const runner = await hold.reached()
      running.process.kill('SIGKILL')
      killIfThere(runner, 'SIGKILL')
      await running.finished
      expect((await eigenae(['verify', scratch('killed')])).stdout).not.toMatch(/ damaged/)
    }
    expect((await sweep(scratch('five.json'), 'killed', '--resume')).code).toBe(0)
    expect(rungsOf('killed')).toEqual(rungsOf('undisturbed'))
    await expectSameRuns(Object.keys(epochsOf('killed')), scratch('killed'), scratch('undisturbed'))
  })

  it('promotes what it would have promoted if trials are added later, and keeps the longer runs of the others', async () => {
    const grown = (trials: number) => file('grown', { trials }, { seeds: [0] })
    expect((await sweep(grown(5), 'whole')).code).toBe(0)
    expect((await sweep(grown(3), 'grown')).code).toBe(0)
    const before = epochsOf('grown')
    const { code, stderr } = await sweep(grown(5), 'grown', '--resume')
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 runs are new in the sweep file')])
    expect(rungsOf('grown')).toEqual(rungsOf('whole'))
    const [at, after] = [epochsOf('whole'), epochsOf('grown')]
    for (const run of Object.keys(at)) expect(after[run]).toBe(Math.max(at[run]!, before[run] ?? 0))
    const same = Object.keys(at).filter((run) => at[run] === after[run])
    // The best of the first three trials is not the best of all.
    expect(same.length).toBeLessThan(5)
    await expectSameRuns(same, scratch('grown'), scratch('whole'))
    expect((await eigenae(['verify', scratch('grown')])).code).toBe(0)
  })

  it('lengthens its runs if rungs are added', async () => {
    cpSync(scratch('undisturbed'), scratch('higher'), { recursive: true })
    const higher = (epochs: readonly number[]) => file('five', { trials: 5, halving: { ...halving, epochs } })
    expect((await sweep(higher([1, 2, 4, 6]), 'higher', '--resume')).code).toBe(0)
    expect(rungsOf('higher').slice(0, 3)).toEqual(rungsOf('undisturbed'))
    expect(rungsOf('higher')[3]).toEqual({ epochs: 6, trials: rungsOf('undisturbed')[2]!.trials })
    const lower = await sweep(higher([1, 2]), 'higher', '--resume')
    expect([lower.code, lower.stderr]).toEqual([2, expect.stringContaining('train.epochs: 6 in the folder')])
    file('five', { trials: 5 })
  })

  it('makes damaged and missing runs again and comes to the same end', async () => {
    cpSync(scratch('undisturbed'), scratch('repaired'), { recursive: true })
    const [, some, last] = rungsOf('undisturbed')
    rmSync(scratch('repaired', `${some!.trials[0]}/seed-0`), { recursive: true })
    rmSync(scratch('repaired', `${last!.trials[0]}/seed-1/run.json`))
    const { code, stderr } = await sweep(scratch('five.json'), 'repaired', '--resume')
    expect([code, stderr]).toEqual([0, expect.stringContaining('damaged, so it is remade')])
    expect(rungsOf('repaired')).toEqual(rungsOf('undisturbed'))
    await expectSameRuns(Object.keys(epochsOf('repaired')), scratch('repaired'), scratch('undisturbed'))
  })

  it('never promotes a trial that fails, and reports it once', async () => {
    const space = { 'optimizer.learningRate': { choice: [1e30, 0.01] } }
    const config = file('failing', { trials: 2, space, halving: { ...halving, epochs: [1, 2] } })
    const { code, stderr } = await sweep(config, 'failing')
    expect([code, stderr]).toEqual([1, expect.stringContaining('2 of 4 runs failed')])
    const [all, last] = rungsOf('failing')
    expect([all!.trials.length, last!.trials.length]).toEqual([2, 1])
    const rateOf = (arm: string) =>
      readJson(scratch('failing', arm, 'seed-0', 'config.json')).optimizer.learningRate
    expect(rateOf(last!.trials[0]!)).toBe(0.01)
    const again = await sweep(config, 'failing', '--resume')
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('4 runs, 2 done')])
    expect(rungsOf('failing')).toEqual([all, last])
  })

  it('promotes another trial if one is killed at a later rung, and comes to the same end when it is resumed', async () => {
    cpSync(scratch('undisturbed'), scratch('lost'), { recursive: true })
    const [, some, last] = rungsOf('undisturbed')
    const [survivor] = last!.trials
    for (const trial of some!.trials) rmSync(scratch('lost', trial), { recursive: true })
    const hold = holdAt(2, { run: `${survivor}/seed-0` })
    const running = start([...sweepArgs(scratch('five.json'), 'lost'), '--resume'], { env: hold.env })
    killIfThere(await hold.reached(), 'SIGKILL')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([1, expect.stringContaining('1 of 10 runs failed')])
    const others = some!.trials.filter((trial) => trial !== survivor)
    expect(rungsOf('lost')[2]!.trials).toEqual(others)
    expect((await sweep(scratch('five.json'), 'lost', '--resume')).code).toBe(0)
    expect(rungsOf('lost')).toEqual(rungsOf('undisturbed'))
    const same = Object.keys(epochsOf('lost')).filter((run) => !others.includes(run.split('/')[0]!))
    await expectSameRuns(same, scratch('lost'), scratch('undisturbed'))
    expect(epochsOf('lost')[`${others[0]}/seed-0`]).toBe(4)
  })

  it('trains a config without trials to the last rung', async () => {
    const variants = { held: 'held.json', fixed: { config: 'held.json', fixed: ['optimizer'] } }
    expect((await sweep(file('baseline', { trials: 2 }, { variants, seeds: [0] }), 'baseline')).code).toBe(0)
    expect(epochsOf('baseline')['fixed/seed-0']).toBe(4)
    expect(rungsOf('baseline').map(({ trials }) => trials.length)).toEqual([2, 1, 1])
  })
})

describe('the commands that read a search with halving', () => {
  const folder = scratch('undisturbed')

  it('compare the trials of the last rung, and name the others in one line', async () => {
    const [all, , last] = rungsOf('undisturbed')
    const { code, stdout, stderr } = await eigenae(['compare', folder, '--json'])
    const { groups } = JSON.parse(stdout)
    expect([code, groups.map(({ label }: { label: string }) => label)]).toEqual([
      0,
      last!.trials.map((trial) => trial.replace(',', ' ')),
    ])
    expect(stderr.match(/^warning: .*$/gm)).toEqual([
      expect.stringContaining('left out: 4 trials that the search stopped at an earlier rung: held trial-00'),
    ])
    const stopped = all!.trials.find((trial) => !last!.trials.includes(trial))!
    const named = await eigenae(['compare', scratch('undisturbed', stopped), folder, '--json'])
    expect(JSON.parse(named.stdout).groups.length).toBe(2)
    const selected = await eigenae(['compare', folder, '--json', '--arms', `${stopped},${last!.trials[0]}`])
    expect(JSON.parse(selected.stdout).groups.length).toBe(2)
  })

  it('judge them, and count all that were chosen among', async () => {
    const { stdout } = await eigenae(['best', folder, '--metric', 'validation_denoise_mse'])
    const [survivor] = rungsOf('undisturbed')[2]!.trials
    expect(stdout).toContain(`  ${join(folder, survivor!)}\n`)
    expect(stdout).toContain('The best of 5 arms looks better than it is')
    expect(stdout).toContain('4 of them stopped at an earlier rung.')
  })

  it('draw each trial up to its rung, and those of the last rung in colour', async () => {
    const [all, some, last] = rungsOf('undisturbed')
    const charts = comparisonCharts(await compareRuns([folder], undefined))
    const { spec } = charts.find(({ name }) => name === 'ladder')!
    const rows = (spec.data as { readonly values: readonly Record<string, unknown>[] }).values
    const armsOf = (kind: string) => [
      ...new Set(rows.filter((row) => row.kind === kind).map(({ arm }) => arm)),
    ]
    const labels = (trials: readonly string[]) => trials.map((trial) => trial.replace(',', ' '))
    expect(armsOf('mean')).toEqual(labels(last!.trials))
    const ends = rows.filter(({ end }) => end !== undefined).map(({ arm, end }) => [arm, end])
    const stopped = all!.trials.filter((trial) => !last!.trials.includes(trial))
    const expected = stopped.map((trial) => [trial.replace(',', ' '), some!.trials.includes(trial) ? 2 : 1])
    expect(ends.toSorted()).toEqual(expected.toSorted())
    expect(rows.flatMap(({ rung }) => rung ?? [])).toEqual([1, 2, 4])
    expect(charts.map(({ name }) => name)).not.toContain('swept')
  })

  it('compare all trials while the first rung trains', async () => {
    cpSync(folder, scratch('first'), { recursive: true })
    const [, some] = rungsOf('undisturbed')
    for (const trial of some!.trials) rmSync(scratch('first', trial), { recursive: true })
    expect(JSON.parse((await eigenae(['compare', scratch('first'), '--json'])).stdout).groups.length).toBe(3)
  })
})

describe('a mistake in a halving', () => {
  const refusal = async (changed: object, content: object = {}) => {
    const config = file('wrong', { trials: 4, halving: { ...halving, ...changed } }, content)
    const { code, stderr } = await sweep(config, 'wrong', '--dry-run')
    expect(code).toBe(2)
    return stderr
  }

  it('is a metric of the test images without chooseOnTest', async () => {
    for (const metric of ['test_denoise_mse', 'test_mse_over_epochs', 'effective_rank', 'rank_share'])
      expect(await refusal({ metric })).toMatch(
        new RegExp(
          `1:\\d+ search\\.halving\\.metric: ${metric} is measured on test images, .*"chooseOnTest": true`,
        ),
      )
    const config = file('test', {
      trials: 4,
      halving: { ...halving, metric: 'test_mse', chooseOnTest: true },
    })
    expect((await sweep(config, 'test', '--dry-run')).code).toBe(0)
  })

  it('is a metric that the runs do not have', async () => {
    const variants = { held: 'held.json', none: 'none.json' }
    expect(await refusal({}, { variants })).toMatch(
      /1:\d+ search\.halving\.metric: no images are held out in variants\.none, so the runs have no validation_denoise_mse; set data\.validation\n/,
    )
    expect(await refusal({ metric: 'validation_denoise_mes' })).toContain(
      'did you mean "validation_denoise_mse"?',
    )
    expect(await refusal({ metric: 'linear_probe_accuracy' })).toContain(
      'is measured only at the end of a run',
    )
    expect(await refusal({ metric: 'train_loss' })).toContain(
      'neither low nor high values of train_loss are better',
    )
  })

  it('is a list of rungs that does not ascend, a share of all, or another setting of train.epochs', async () => {
    expect(await refusal({ epochs: [3, 3] })).toContain(
      'search.halving.epochs: must ascend, like [3, 10, 30]',
    )
    expect(await refusal({ epochs: [3] })).toContain(
      'search.halving.epochs: must be a list of at least 2 (got [3])',
    )
    expect(await refusal({ keep: 1 })).toContain('search.halving.keep: must be under 1 (got 1)')
    const inGrid = await refusal({}, { grid: { 'train.epochs': [3, 4] } })
    expect(inGrid).toMatch(/1:\d+ grid\.train\.epochs: search\.halving sets train\.epochs\n/)
    const fixed = await refusal({}, { variants: { held: { config: 'held.json', fixed: ['train'] } } })
    expect(fixed).toMatch(/variants\.held\.fixed\.0: search\.halving sets train\.epochs\n/)
    const set = await sweep(file('set', { trials: 4 }), 'set', '--dry-run', '--set', 'train.epochs=3')
    expect(set.stderr).toContain('--set train.epochs: the halving of the sweep file sets train.epochs\n')
  })
})
