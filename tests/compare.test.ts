import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { metricsColumns } from '../src/runs/tables.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { threeArms, trainArms, writeArms } from './support/compared-arms.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'

const scratch = scratchFolder()
const compare = (...args: readonly string[]) => eigenae(['compare', ...args], { cwd: scratch() })

const lastMetrics = async (folder: string) =>
  JSON.parse(await readFile(`${folder}/evaluation.json`, 'utf8')).metrics

beforeAll(async () => {
  writeArms(scratch)
  await trainArms(scratch)
})

describe('eigenae compare', () => {
  it('compares trained runs', async () => {
    const { code, stdout, stderr } = await compare('runs/baseline', 'runs/eigen', '--json')
    const [a, b] = await Promise.all([0, 1].map((seed) => lastMetrics(scratch(`runs/baseline/seed-${seed}`))))
    const row = JSON.parse(stdout).rows.find((each: { metric: string }) => each.metric === 'test_mse')
    expect(code).toBe(0)
    expect(stderr).toContain('left out of runs/eigen: runs/eigen/seed-2 is interrupted')
    expect(row).toMatchObject({ group: 'runs/baseline', n: 2, difference: null, p_value: null })
    expect(row.mean).toBeCloseTo((a.test_mse + b.test_mse) / 2, 12)
    expect(row.sd).toBeCloseTo(Math.abs(a.test_mse - b.test_mse) / Math.SQRT2, 12)
  })

  it('prints a table of at most 80 columns with the differences, the best mean and the test against the baseline', async () => {
    const { stdout } = await compare(...threeArms, '--metric', 'test_mse')
    const lines = stdout.trimEnd().split('\n')
    expect(lines[1]).toMatch(/^none +batchNorm=none eigen=none +3 +▇▅▃ +█▆▅▃$/)
    expect(lines[2]).toMatch(/^eigen +eigen=top-k +3 +/)
    expect(lines[3]).toMatch(/^norm +batchNorm=all +1 +/)
    expect(stdout).toContain('test MSE, clean input, lower is better (test_mse)')
    expect(stdout).toMatch(/^ {2}none +3 +0\.02680 ± 0\.00075 +– +– +– +–$/m)
    expect(stdout).toMatch(/^ {2}eigen +3 +0\.0302 ± 0\.0024 +\+0\.00340 +0\.0\d\d +\+\d\.\d +0\.0036$/m)
    expect(stdout).toMatch(/^\* norm +1 +0\.01710 +−0\.00970 +– +– +–$/m)
    expect(stdout).toContain('n = 1: one seed, so no interval and no test.')
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(80)
  })

  it("uses the paired test if the seeds are the same, and Welch's test otherwise", async () => {
    writeRun(scratch('arms', 'other', 'seed-5'), { seed: 5, testMse: 0.031 })
    writeRun(scratch('arms', 'other', 'seed-6'), { seed: 6, testMse: 0.033 })
    writeRun(scratch('arms', 'other', 'seed-7'), { seed: 7, testMse: 0.032 })
    const { stdout } = await compare(...threeArms, 'arms/other', '--metric', 'test_mse', '--json')
    const tests = JSON.parse(stdout).rows.map((row: { test: string | null }) => row.test)
    expect(tests).toEqual([null, 'paired', null, 'welch'])
  })

  it('does not test metrics that depend on the loss of an arm', async () => {
    for (const seed of [0, 1, 2]) {
      writeRun(scratch('losses', 'a', `seed-${seed}`), { seed, testMse: 0.03 + 0.001 * seed })
      writeRun(scratch('losses', 'b', `seed-${seed}`), { seed, testMse: 0.04 + 0.003 * seed * seed })
    }
    const { rows } = JSON.parse((await compare('losses', '--json')).stdout)
    const of = (metric: string) =>
      rows.find((row: { metric: string; group: string }) => row.group === 'losses/b' && row.metric === metric)
    expect(of('train_mse').test).toBe('paired')
    const untested = {
      test: null,
      p_value: null,
      hedges_g: null,
      difference_low: null,
      detectable_difference: null,
    }
    expect(of('train_loss')).toMatchObject(untested)
    expect(of('train_eigen')).toMatchObject(untested)
    expect(of('train_loss').difference).toBeCloseTo(of('train_mse').difference, 12)
  })

  it('puts the given baseline first', async () => {
    const { stdout } = await compare('arms/none', 'arms/eigen', '--baseline', 'arms/eigen/', '--json')
    const { baseline, groups } = JSON.parse(stdout)
    expect(baseline).toBe('arms/eigen')
    expect(groups.map(({ group }: { group: string }) => group)).toEqual(['arms/eigen', 'arms/none'])
    const several = await compare('arms/none', '--baseline', 'arms')
    expect(several.stderr).toContain('--baseline arms: holds 4 arms')
    expect(several.code).toBe(2)
    const byName = await compare('arms/none', 'arms/eigen', '--baseline', 'eigen', '--json')
    expect(JSON.parse(byName.stdout).baseline).toBe('arms/eigen')
    const unknown = await compare('arms/none', 'arms/eigen', '--baseline', 'eigne')
    expect(unknown.stderr).toBe(
      'eigenae: --baseline eigne: is neither a folder of runs nor an arm\nThe arms: none, eigen.\n',
    )
    expect(unknown.code).toBe(2)
  })

  it('takes a folder of arms as all of its arms, and a run as an arm of one run', async () => {
    const { stdout } = await compare('arms', 'arms/none/seed-1', '--json')
    const sizes = JSON.parse(stdout).groups.map((each: { group: string; seeds: number[] }) => [
      each.group,
      each.seeds.length,
    ])
    expect(sizes.slice(-1)).toEqual([['arms/none/seed-1', 1]])
    expect(Object.fromEntries(sizes)).toMatchObject({ 'arms/none': 3, 'arms/eigen': 3, 'arms/norm': 1 })
  })

  it('takes each run beside arms as an arm of one run', async () => {
    for (const run of ['first', 'second', 'group/seed-0', 'group/seed-1']) writeRun(scratch('mixed', run))
    const { groups } = JSON.parse((await compare('mixed', '--json')).stdout)
    const names = groups.map(({ group }: { group: string }) => group)
    expect(names).toEqual(['mixed/first', 'mixed/second', 'mixed/group'])
  })

  it('shortens long names without making them equal', async () => {
    for (const variant of ['none', 'eigen']) {
      for (const batchSize of [64, 256]) {
        writeRun(scratch('grid', `${variant},train.batchSize=${batchSize}`, 'seed-0'), { batchSize })
      }
    }
    const names = (await compare('grid')).stdout.split('\n').slice(1, 5)
    expect(new Set(names.map((line) => line.split(/ {2,}/)[0])).size).toBe(4)
  })

  it('rejects an arm without a completed run, damaged files and an unknown metric', async () => {
    const none = await compare('runs/eigen/seed-2')
    expect(none.stderr).toContain('holds no completed run')
    expect(none.code).toBe(2)
    writeRun(scratch('damaged'))
    await appendFile(scratch('damaged', 'metrics.csv'), '4,oops\n')
    sealRun(scratch('damaged'))
    expect((await compare('damaged')).stderr).toContain(
      `metrics.csv:5: is not a row of ${metricsColumns.length} numbers`,
    )
    writeRun(scratch('foreign'))
    await writeFile(scratch('foreign', 'config.json'), '{"name":"x","seed":-1}')
    sealRun(scratch('foreign'))
    expect((await compare('foreign')).stderr).toContain('config.json: this is not the config of a run: model')
    const unknown = await compare('runs/eigen', '--metric', 'test_mze')
    expect(unknown.stderr).toContain('test_mse')
    expect(unknown.code).toBe(2)
  })

  it('reads the columns of other versions by their names', async () => {
    writeRun(scratch('versions', 'older'), { testMse: 0.03 })
    writeRun(scratch('versions', 'newer'), { testMse: 0.03 })
    const lines = async (run: string) =>
      (await readFile(scratch('versions', run, 'metrics.csv'), 'utf8')).split('\n')
    const dropped = metricsColumns.indexOf('dead_dimensions')
    const without = (await lines('older')).map((line) => line.split(',').toSpliced(dropped, 1).join(','))
    await writeFile(scratch('versions', 'older', 'metrics.csv'), without.join('\n'))
    const more = (await lines('newer')).map((line, row) => line && `${line},${row === 0 ? 'sharpness' : row}`)
    await writeFile(scratch('versions', 'newer', 'metrics.csv'), more.join('\n'))
    for (const run of ['older', 'newer']) sealRun(scratch('versions', run))
    const { rows } = JSON.parse((await compare('versions/older', 'versions/newer', '--json')).stdout)
    const of = (metric: string) => rows.filter((row: { metric: string }) => row.metric === metric)
    expect(of('test_mse').map(({ mean }: { mean: number }) => mean)).toEqual([0.03, 0.03])
    expect(of('dead_dimensions').map(({ group }: { group: string }) => group)).toEqual(['versions/newer'])
    const lacking = await compare('versions/older', '--metric', 'dead_dimensions')
    expect(lacking.stdout).toContain('\n\nnone of these runs has dead_dimensions\n\n')
  })

  it('compares runs of earlier versions, which lack the 5-NN accuracy', async () => {
    writeRun(scratch('without', 'old'), { neighbours: null })
    writeRun(scratch('without', 'new'))
    const { rows } = JSON.parse((await compare('without/old', 'without/new', '--json')).stdout)
    const groupsWith = (metric: string) =>
      rows.flatMap((row: { metric: string; group: string }) => (row.metric === metric ? [row.group] : []))
    expect(groupsWith('linear_probe_accuracy')).toEqual(['without/old', 'without/new'])
    expect(groupsWith('neighbour_accuracy')).toEqual(['without/new'])
  })
})
