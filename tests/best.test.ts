import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { meanOf, optimismOf } from '../src/comparison/statistics.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { type FakeRun, writeRun } from './support/run-folder.js'
import { readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const best = (...args: readonly string[]) => eigenae(['best', ...args], { cwd: scratch() })

function writeArm(folder: string, values: readonly number[], run: FakeRun = {}): void {
  for (const [seed, testMse] of values.entries())
    writeRun(scratch(...folder.split('/'), `seed-${seed}`), { ...run, seed, testMse })
}

beforeAll(() => {
  writeArm('sweep/small', [0.03, 0.032, 0.031], { batchSize: 64 })
  writeArm('sweep/large', [0.02, 0.021, 0.025], { batchSize: 128 })
  writeArm('sweep/huge', [0.024, 0.023, 0.026], { batchSize: 256 })
})

describe('eigenae best', () => {
  it('names the best arm in the mean over its seeds, with its interval, and how far the runner-up is', async () => {
    const { code, stdout, stderr } = await best('sweep', '--metric', 'test_mse')
    expect(stdout).toBe(
      [
        'test MSE, clean input (test_mse), lower is better: mean of 3 seeds (0-2) ± 95 % interval',
        '',
        'best: 0.0220 ± 0.0066  sweep/large',
        '  train.batchSize=128',
        'runner-up: 0.0243 ± 0.0038  sweep/huge',
        '  train.batchSize=256',
        '  difference from the best +0.00233 (+11 %), 95 % interval −0.00146 to +0.00613, p 0.118, paired t-test over the same seeds',
        '',
        'The best of 3 arms looks better than it is: train it again with other seeds.',
        // The arm is the best on each seed.
        'Estimated optimism of the choice: 0, so expect 0.02200 (bootstrap over the seeds).',
        'A choice on test images is biased: data.validation holds out other images to choose by.',
        '',
      ].join('\n'),
    )
    expect([code, stderr]).toEqual([0, ''])
  })

  it('lists the given number of arms with their intervals, the best first', async () => {
    const { stdout } = await best('sweep', '--metric', 'test_mse', '--top', '2')
    expect(stdout.split('\n').slice(2, 7)).toEqual([
      '              mean  arm          settings',
      '1  0.0220 ± 0.0066  sweep/large  train.batchSize=128',
      '2  0.0243 ± 0.0038  sweep/huge   train.batchSize=256',
      expect.stringMatching(/^runner-up: difference from the best \+0\.00233 /),
      '',
    ])
    const { ranking, ...others } = JSON.parse(
      (await best('sweep', '--metric', 'test_mse', '--top', '10', '--json')).stdout,
    )
    expect(ranking.map(({ folder }: { folder: string }) => folder)).toEqual([
      'sweep/large',
      'sweep/huge',
      'sweep/small',
    ])
    const { config: _, ...first } = others.best
    expect(ranking[0]).toEqual(first)
    expect(ranking[2].low).toBeLessThan(ranking[2].mean)
    const plain = JSON.parse((await best('sweep', '--metric', 'test_mse', '--json')).stdout)
    expect(plain).toEqual(others)
  })

  it('takes the largest mean where higher is better', async () => {
    for (const [arm, probe] of [
      ['low', 0.7],
      ['high', 0.9],
    ] as const)
      writeArm(`probes/${arm}`, [0.03, 0.03], { probe, noise: probe })
    expect((await best('probes', '--metric', 'linear_probe_accuracy')).stdout).toContain(
      'best: 0.900 ± 0.000  probes/high\n',
    )
  })

  it('agrees with compare, and gives all digits as JSON', async () => {
    const { stdout } = await best('sweep', '--metric', 'test_mse', '--json')
    const result = JSON.parse(stdout)
    const compared = await eigenae(
      ['compare', 'sweep', '--baseline', 'large', '--metric', 'test_mse', '--json'],
      {
        cwd: scratch(),
      },
    )
    const rows: readonly Record<string, unknown>[] = JSON.parse(compared.stdout).rows
    const [large, huge] = ['large', 'huge'].map((arm) => rows.find(({ group }) => group === `sweep/${arm}`)!)
    for (const field of ['mean', 'sd', 'low', 'high']) expect(result.best[field]).toBe(large![field])
    for (const field of ['mean', 'difference', 'difference_low', 'difference_high', 'test'])
      expect(result.runner_up[field]).toBe(huge![field])
    expect(result.runner_up.p_value).toBe(huge!.p_value_uncorrected)
    expect(result).toMatchObject({
      metric: 'test_mse',
      better: 'lower',
      arms: 3,
      seeds: 3,
      best: { arm: 'large', folder: 'sweep/large', seeds: [0, 1, 2], config: { train: { batchSize: 128 } } },
      left_out: [],
      warnings: [],
    })
  })

  it('judges the arms on the seeds that all of them have, and names the others', async () => {
    writeArm('uneven/good', [0.02, 0.021], { batchSize: 32 })
    writeArm('uneven/bad', [0.05, 0.05, 0.001], { batchSize: 48 })
    writeArm('uneven/partly', [0.03, 0.031], { batchSize: 96 })
    writeRun(scratch('uneven', 'partly', 'seed-2'), { seed: 2, status: 'failed', batchSize: 96 })
    writeRun(scratch('uneven', 'gone', 'seed-0'), { status: 'failed', batchSize: 128 })
    const { code, stdout, stderr } = await best('uneven', '--metric', 'test_mse')
    expect(stdout).toContain('lower is better: mean of 2 seeds (0-1) ± 95 % interval\n')
    expect(stdout).toMatch(/^best: 0\.0205 .* uneven\/good$/m)
    expect(stdout).toMatch(/^runner-up: 0\.0305 .* uneven\/partly$/m)
    expect(stderr.split('\n')).toEqual([
      'warning: seed 2 is ignored: uneven/good, uneven/partly do not have exactly one run of it with test_mse',
      'warning: left out of uneven/partly: uneven/partly/seed-2 failed (no power)',
      'warning: left out: uneven/gone, failed',
      '',
    ])
    expect(code).toBe(0)
    const result = JSON.parse((await best('uneven', '--metric', 'test_mse', '--json')).stdout)
    expect(result).toMatchObject({
      arms: 3,
      seeds: 2,
      best: { arm: 'good', seeds: [0, 1] },
      left_out: [{ arm: 'gone', folder: 'uneven/gone', reason: '1 failed' }],
      ignored_seeds: [{ seed: 2, lacking: ['uneven/good', 'uneven/partly'] }],
    })
  })

  it('does not count a seed of which an arm has several runs', async () => {
    writeArm('twice/a', [0.02, 0.02], { noise: 0.1 })
    writeArm('twice/b', [0.01, 0.03], { noise: 0.2 })
    writeRun(scratch('twice', 'b', 'again'), { seed: 0, noise: 0.2, testMse: 0.001 })
    const { stdout, stderr } = await best('twice', '--metric', 'test_mse')
    expect(stdout).toContain('lower is better: seed 1\n\nbest: 0.02000  twice/a\n')
    expect(stderr).toContain('warning: seed 0 is ignored: twice/b does not have exactly one run of it')
  })

  it('refuses arms that share no seed', async () => {
    writeArm('apart/a', [0.03, 0.031], { noise: 0.1 })
    writeRun(scratch('apart', 'b', 'seed-4'), { seed: 4, noise: 0.2, testMse: 0.01 })
    const { code, stdout, stderr } = await best('apart', '--metric', 'test_mse')
    expect(stderr).toBe(
      [
        'eigenae: the arms share no seed, so their means cannot be compared',
        '  apart/a: seeds 0-1',
        '  apart/b: seeds 4',
        'Train the missing seeds, or name only arms that share seeds.',
        '',
      ].join('\n'),
    )
    expect([code, stdout]).toEqual([2, ''])
  })

  it('refuses arms without a seed of one run, and names the seeds of several', async () => {
    for (const [arm, noise] of [
      ['a', 0.1],
      ['b', 0.2],
    ] as const)
      for (const run of ['one', 'two'].slice(0, arm === 'a' ? 2 : 1))
        writeRun(scratch('double', arm, run), { seed: 0, noise, testMse: run === 'one' ? 0.03 : 0.02 })
    const problemOf = async (folder: string) => (await best(folder, '--metric', 'test_mse')).stderr
    const arm = '  double/a: seeds 0, several runs of 0\n'
    expect(await problemOf('double')).toBe(
      `eigenae: no seed has exactly one run in every arm\n${arm}  double/b: seeds 0\nName one run of each seed.\n`,
    )
    expect(await problemOf('double/a')).toBe(
      `eigenae: no seed has exactly one run\n${arm}Name one run of each seed.\n`,
    )
  })

  it('ignores a seed whose run lacks the metric, and does not judge an arm without the metric', async () => {
    writeArm('lacking/whole', [0.03, 0.031], { noise: 0.1 })
    writeArm('lacking/old', [0.03, 0.03], { noise: 0.2 })
    writeRun(scratch('lacking', 'old', 'seed-1'), { seed: 1, noise: 0.2, neighbours: null })
    writeArm('lacking/older', [0.03], { noise: 0.3, neighbours: null })
    const { stdout, stderr } = await best('lacking', '--metric', 'neighbour_accuracy')
    expect(stdout).toContain('higher is better: seed 0\n')
    expect(stderr).toContain('seed 1 is ignored: lacking/old does not have exactly one run of it')
    expect(stderr).toContain('not judged: lacking/older, 1 without neighbour_accuracy\n')
  })

  it('judges single runs, without interval and test', async () => {
    for (const [arm, testMse] of [
      ['a', 0.03],
      ['b', 0.02],
    ] as const)
      writeArm(`single/${arm}`, [testMse], { noise: testMse })
    const { stdout } = await best('single', '--metric', 'test_mse')
    expect(stdout).toContain('(test_mse), lower is better: seed 0\n\nbest: 0.02000  single/b\n')
    expect(stdout).toContain('  difference from the best +0.0100 (+50 %)\n')
  })

  it('estimates the optimism of a choice among arms, the same at each call', async () => {
    const values = [
      [0.03, 0.034, 0.032, 0.031],
      [0.033, 0.03, 0.034, 0.031],
      [0.034, 0.033, 0.03, 0.032],
    ]
    for (const [arm, each] of values.entries()) writeArm(`close/${arm}`, each, { noise: 0.1 * (arm + 1) })
    const result = JSON.parse((await best('close', '--metric', 'test_mse', '--json')).stdout)
    const ranked = [values[0]!, values[1]!, values[2]!].toSorted((a, b) => meanOf(a) - meanOf(b))
    expect(result).toMatchObject({ chosen_among: 3, chosen_on_test: true, optimism_missing: null })
    expect(result.optimism).toBe(optimismOf(ranked, 'lower'))
    expect(result.optimism).toBeGreaterThan(0)
    expect(result.expected_mean).toBe(result.best.mean + result.optimism)
    const { stdout } = await best('close', '--metric', 'test_mse')
    expect(stdout).toMatch(
      /^Estimated optimism of the choice: 0\.00\d+, so expect 0\.03\d+ \(bootstrap over the seeds\)\.$/m,
    )
  })

  it('gives the reason if it estimates no optimism', async () => {
    writeArm('short/a', [0.03, 0.031], { noise: 0.1 })
    writeArm('short/b', [0.031, 0.03], { noise: 0.2 })
    const { stdout } = await best('short', '--metric', 'test_mse')
    expect(stdout).toContain(
      'The optimism of the choice is not estimated: that needs three seeds, and the arms share 2.\n',
    )
    const result = JSON.parse((await best('short', '--metric', 'test_mse', '--json')).stdout)
    expect(result).toMatchObject({
      ...{ chosen_among: 2, optimism: null, expected_mean: null },
      optimism_missing: 'that needs three seeds, and the arms share 2',
    })
    expect(result.runner_up.p_value).toBe(null)
  })

  it('chooses on validation images if there are some, and warns of a choice on test images', async () => {
    // The arm that is better on the validation images is worse on the test images.
    for (const [arm, mse, testMse] of [
      ['a', 0.02, 0.04],
      ['b', 0.03, 0.03],
    ] as const)
      writeArm(`held/${arm}`, [testMse, testMse], {
        ...{ batchSize: 1000 * testMse, validation: { images: 100, mse } },
      })
    const chosen = await best('held')
    expect(chosen.stdout).toContain('(validation_denoise_mse), lower is better')
    expect(chosen.stdout).toMatch(/^best: 0\.0200\S* ± \S+ {2}held\/a$/m)
    expect(chosen.stdout).not.toContain('test images')
    expect(chosen.stderr).toBe('')
    const warned = await best('held', '--metric', 'test_mse')
    const warning =
      'test_mse is measured on test images, which a choice by it makes biased; these runs have validation_denoise_mse'
    expect(warned.stdout).toMatch(/^best: 0\.0300\S* ± \S+ {2}held\/b$/m)
    expect(warned.stdout).not.toContain('A choice on test images')
    expect(warned.stderr).toBe(`warning: ${warning}\n`)
    const { warnings } = JSON.parse((await best('held', '--metric', 'test_mse', '--json')).stdout)
    expect(warnings).toEqual([warning])
  })

  it('requires a metric in which an arm can be better', async () => {
    expect((await best('sweep')).stderr).toContain("required option '--metric <name>' not specified")
    const { code, stderr } = await best('sweep', '--metric', 'train_eigen')
    expect(stderr).toContain("argument 'train_eigen' is invalid. Allowed choices are train_mse, test_mse")
    expect(code).toBe(2)
  })

  it('refuses a folder without runs', async () => {
    const { code, stderr } = await best('nowhere', '--metric', 'test_mse')
    expect(stderr).toContain('nowhere')
    expect(code).toBe(2)
  })
})

describe('eigenae best --out', () => {
  it('writes the config without its seed, and refuses to overwrite a file', async () => {
    const args = ['sweep', '--metric', 'test_mse', '--out', 'made/best.json']
    const { code, stderr } = await best(...args)
    expect([code, stderr]).toEqual([0, 'written to made/best.json\n'])
    const { seed, ...config } = readJson(scratch('sweep', 'large', 'seed-0', 'config.json'))
    expect(seed).toBe(0)
    expect(readJson(scratch('made', 'best.json'))).toEqual(config)
    writeFileSync(scratch('made', 'best.json'), 'mine')
    const again = await best(...args)
    expect(again.stderr).toBe('eigenae: made/best.json: already exists\nName another file with --out.\n')
    expect([again.code, again.stdout]).toEqual([2, ''])
    expect(readFileSync(scratch('made', 'best.json'), 'utf8')).toBe('mine')
  })

  it('writes a config that trains, of the best trial of a search', async () => {
    tinyConfigs(scratch(), 1)
    const space = { 'optimizer.learningRate': { log: [1e-5, 0.03] } }
    const search = { trials: 3, seed: 1, space }
    const config = writeJson(scratch('search.json'), {
      name: 's',
      variants: { none: 'none.json' },
      search,
      seeds: [0, 1],
    })
    const made = await eigenae(['sweep', '--config', config], { cwd: scratch() })
    expect(made.stderr).toMatch(
      /^The best of 3 arms looks .*\nA choice on test images is biased: .*\nmore: .*\nbest: eigenae best runs\/s --metric test_denoise_mse$/m,
    )
    const grid = {
      name: 'g',
      variants: { none: 'none.json' },
      grid: { 'train.batchSize': [64, 128] },
      seeds: [0],
    }
    const swept = ['sweep', '--config', writeJson(scratch('grid.json'), grid)]
    const onTest = await eigenae(swept, { cwd: scratch() })
    expect(onTest.stderr.split('The best of 2 arms looks').length).toBe(2)
    expect(onTest.stderr.split('A choice on test images is biased').length).toBe(2)
    const held = ['--set', 'data.validation=100', '--out', 'runs/h']
    const onValidation = await eigenae([...swept, ...held], { cwd: scratch() })
    expect(onValidation.stdout).toMatch(/^2 arms by noisy validation MSE$/m)
    expect(onValidation.stderr).toContain('best: eigenae best runs/h --metric validation_denoise_mse')
    expect(onValidation.stderr).not.toContain('biased')
    const { stdout, stderr } = await best('runs/s', '--metric', 'test_mse', '--out', 'tuned.json')
    expect(stdout).toMatch(/^ {2}optimizer\.learningRate=[\d.]+$/m)
    expect(stderr).toBe('written to tuned.json\n')
    const trained = await eigenae(['train', '--config', 'tuned.json', '--seed', '9', '--out', 'again'], {
      cwd: scratch(),
    })
    expect(trained.code).toBe(0)
    expect(existsSync(scratch('again', 'evaluation.json'))).toBe(true)
  })
})
