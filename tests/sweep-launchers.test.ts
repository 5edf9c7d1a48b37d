import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, eigenae, scratchFolder, start } from './support/cli.js'
import { holdAt } from './support/hold.js'
import { describeUnless } from './support/requirements.js'
import { expectSameRuns, killIfThere, readJson, tinyConfigs, writeJson } from './support/sweeps.js'
import { type Cluster, noSlurm, startCluster } from './system/slurm/cluster.js'

/** A launcher that the suite tests. To add one, add a row to `launchers`. */
interface TestedLauncher {
  readonly name: string
  readonly args: readonly string[]
  /** Returns the environment of the sweep. */
  readonly open: () => Readonly<Record<string, string>>
  readonly close: () => void
  /** Why the launcher cannot be tested here; null if it can. */
  readonly missing: string | null
}

let cluster: Cluster
const launchers: readonly TestedLauncher[] = [
  { name: 'local', args: ['--jobs', '2'], open: () => ({}), close: () => {}, missing: null },
  {
    name: 'slurm',
    args: ['--mem', '1000'],
    open: () => {
      cluster = startCluster()
      return cluster.env
    },
    close: () => cluster.stop(),
    missing: noSlurm,
  },
]

const withoutMemory = pathToFileURL(join(import.meta.dirname, 'support/no-memory.mjs'))

const scratch = scratchFolder()
const runs = ['none/seed-0', 'eigen/seed-0', 'none/seed-1', 'eigen/seed-1']
const file = (name: string, variants: readonly string[], seeds: readonly number[]) =>
  writeJson(scratch(`${name}.json`), {
    name,
    variants: Object.fromEntries(variants.map((variant) => [variant, `${variant}.json`])),
    seeds,
  })

const space = { 'optimizer.learningRate': { log: [0.001, 0.03] } }
const halving = { metric: 'test_mse', epochs: [1, 2], keep: 0.4, chooseOnTest: true }
const halved = writeJson(scratch('halved.json'), {
  ...{ name: 'halved', variants: { eigen: 'eigen.json' }, search: { trials: 3, space, halving } },
})
const plain = scratch('plain')

const long = ['--set', 'train.epochs=8']
let undisturbed: string

beforeAll(async () => {
  tinyConfigs(scratch(), 3)
  undisturbed = scratch('undisturbed')
  const sweep = file('undisturbed', ['none', 'eigen'], [0, 1])
  expect((await eigenae(['sweep', '--config', sweep, '--out', undisturbed, ...long])).code).toBe(0)
  expect((await eigenae(['sweep', '--config', halved, '--out', plain, '--jobs', '1'])).code).toBe(0)
  expect(
    (await eigenae(['train', '--config', scratch('eigen.json'), '--out', scratch('trained')])).code,
  ).toBe(0)
})

describe.each(launchers)('the launcher $name', ({ name, args, open, close, missing }) => {
  describeUnless(missing, 'passes the suite of all launchers:', () => {
    let env: Readonly<Record<string, string>>
    beforeAll(() => {
      env = open()
    })
    afterAll(() => close())

    const out = (test: string) => scratch(name, test)
    const sweepArgs = (test: string, sweep: string, ...more: readonly string[]) => [
      ...['sweep', '--config', sweep, '--launcher', name, '--out', out(test)],
      ...[...args, ...more],
    ]
    const sweep = (...all: Parameters<typeof sweepArgs>) => call(sweepArgs(...all), { env })

    it('makes every run, with the same bytes as train, and compares the arms', async () => {
      const { code, stdout, stderr } = await sweep('all', file('all', ['none', 'eigen'], [0]))
      expect(code).toBe(0)
      expect(stdout).toMatch(/^arm .*\nnone .* 1 .*\neigen .* 1 /m)
      expect(stderr).toContain('2 runs completed')
      await expectSameRuns(['.'], `${out('all')}/eigen/seed-0`, scratch('trained'))
    })

    it('promotes the same trials of a halving, rung by rung', async () => {
      const { code, stderr } = await sweep('halved', halved)
      expect([code, stderr]).toEqual([
        0,
        expect.stringContaining('3 trials to 1 epoch, 1 trial to 2 epochs; '),
      ])
      const { rungs, runs: all } = readJson(join(plain, 'sweep.json'))
      expect(readJson(join(out('halved'), 'sweep.json')).rungs).toEqual(rungs)
      await expectSameRuns(all, out('halved'), plain)
    })

    it('continues after a run has failed, prints the reason at once and at the end, and keeps the log', async () => {
      const { code, stderr } = await sweep('fails', file('fails', ['no-data', 'none'], [0]))
      expect(code).toBe(1)
      expect(stderr).toMatch(/no-data\/seed-0: failed: .*no such data file/)
      expect(stderr).toMatch(
        /1 of 2 runs failed\n.*reason\n +no-data\/seed-0 .*no such data file[\s\S]*<run>\/train\.log/,
      )
      expect(stderr).toContain('none/seed-0: completed')
      expect(readFileSync(`${out('fails')}/no-data/seed-0/train.log`, 'utf8')).toContain('no such data file')
    })

    it('reports a lack of memory as the reason of a failure', async () => {
      const options = { env: { ...env, NODE_OPTIONS: `--import=${withoutMemory}` } }
      const { code, stderr } = await eigenae(sweepArgs('memory', file('memory', ['none'], [0])), options)
      expect(code).toBe(1)
      expect(stderr).toMatch(/none\/seed-0: failed: out of memory/)
    })

    it('reports that a run was killed, and resumes it', async () => {
      const config = file('killed', ['none', 'eigen'], [0])
      const hold = holdAt(5, { run: 'eigen/seed-0' })
      const running = start(sweepArgs('killed', config, ...long), { env: { ...env, ...hold.env } })
      process.kill(await hold.reached(), 'SIGKILL')
      const { code, stderr } = await running.finished
      expect(code).toBe(1)
      expect(stderr).toMatch(/eigen\/seed-0: failed: killed by SIGKILL/)
      const resumed = await sweep('killed', config, '--resume', ...long)
      expect(resumed.code).toBe(0)
      expect(resumed.stderr).toContain('2 runs, 1 done')
      await expectSameRuns(['none/seed-0', 'eigen/seed-0'], out('killed'), undisturbed)
    })

    it('retries a failed run with --retries, from its checkpoint', async () => {
      const config = file('retried', ['eigen'], [0])
      const hold = holdAt(5, { run: 'eigen/seed-0' })
      const args = sweepArgs('retried', config, ...long, '--retries', '1')
      const running = start(args, { env: { ...env, ...hold.env } })
      process.kill(await hold.reached(), 'SIGKILL')
      const { code, stderr } = await running.finished
      expect(code).toBe(0)
      expect(stderr).toContain('attempt 1, retried later')
      expect(readFileSync(`${out('retried')}/eigen/seed-0/train.log`, 'utf8')).toContain(
        'resuming after epoch',
      )
      await expectSameRuns(['eigen/seed-0'], out('retried'), undisturbed)
    })

    it('stops on Ctrl-C with exit code 130, prints how to resume, and can be resumed', async () => {
      const config = file('stopped', ['none', 'eigen'], [0, 1])
      const hold = holdAt(5, { run: 'none/seed-0', release: ['SIGTERM', 'SIGCONT'] })
      const running = start(sweepArgs('stopped', config, ...long), { env: { ...env, ...hold.env } })
      const held = await hold.reached()
      running.process.kill('SIGINT')
      const { code, stderr } = await running.finished
      // Without a terminal a cluster's jobs continue.
      killIfThere(held, 'SIGCONT')
      expect(code).toBe(130)
      expect(stderr).toContain('--resume')
      expect((await sweep('stopped', config, '--resume', ...long)).code).toBe(0)
      await expectSameRuns(runs, out('stopped'), undisturbed)
    })

    it('stops all runs with --fail-fast', async () => {
      const config = file('fast', ['no-data', 'none'], [0, 1, 2])
      const { code, stderr } = await sweep('fast', config, '--set', 'train.epochs=1000000', '--fail-fast')
      expect(code).toBe(1)
      expect(stderr).toMatch(/0 runs completed, \d failed, \d left/)
    })
  })
})
