import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, expect, it } from 'vitest'
import { eigenae, scratchFolder } from '../support/cli.js'
import { describeWithCuda } from '../support/cuda-engine.js'
import { readJson, writeJson } from '../support/sweeps.js'

const root = join(import.meta.dirname, '../..')
const scratch = scratchFolder()

/** Seconds in which an H100 trains an epoch of 64 models, by the estimate in docs/gpu.md. */
function estimatedSeconds(): number {
  const guide = readFileSync(join(root, 'docs/gpu.md'), 'utf8')
  const [, seconds] = /^\| H100 \|.*\| ([\d.]+) \|$/m.exec(guide)!
  return Number(seconds)
}

const models = 64
const cardMilliseconds = (1000 * estimatedSeconds()) / models
const leastShare = 0.85
/** Cores of the processor for each card. Machines with cards have 8 to 32. */
const cores = 8
const atOnce = 10
/** Milliseconds of CPU time that `referenceMilliseconds` takes on a Xeon of the kind that hosts an H100 (Sapphire Rapids). */
const referenceOnHost = 22
const stepsOfEpoch = 938

/** Returns the least CPU time of a fixed computation, by which a slower processor than an H100's host gets more time. */
function referenceMilliseconds(): number {
  const times = Array.from({ length: 9 }, () => {
    const values = Float64Array.from({ length: 300_000 }, (_, i) => (i * 7_919) % 300_007)
    const before = process.cpuUsage()
    values.sort()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  })
  return Math.min(...times)
}

describeWithCuda('a card that only waits the estimated time of each launch', ({ environment }) => {
  const step = (1e6 * estimatedSeconds()) / Math.ceil(models / atOnce) / stepsOfEpoch
  const env = {
    ...environment,
    CUDA_VISIBLE_DEVICES: '0',
    EIGENAE_STAND_IN: `step=${step}:13`,
    NODE_OPTIONS: `--import=${pathToFileURL(join(root, 'tests/support/record-cpu.mjs'))}`,
  }

  /** Returns milliseconds of CPU time of the process that trains. */
  async function cpuOf(
    name: string,
    args: readonly string[],
  ): Promise<Readonly<Record<'main' | 'all', number>>> {
    const record = scratch(`${name}.json`)
    const run = [...args, '--device', 'cuda', '--out', scratch(name)]
    const { code, stderr } = await eigenae(run, { env: { ...env, EIGENAE_TEST_CPU: record } })
    expect(code, stderr).toBe(0)
    return readJson(record)
  }

  function sweepArgs(epochs: number, runs: number): readonly string[] {
    const sweep = writeJson(scratch(`sweep-of-${runs}-${epochs}-epochs.json`), {
      ...{ name: 'host', variants: { eigen: join(root, 'configs/eigen.json') } },
      ...{ grid: { 'train.epochs': [epochs] }, seeds: Array.from({ length: runs }, (_, seed) => seed) },
    })
    return ['sweep', '--config', sweep]
  }

  const trainArgs = (epochs: number) => [
    ...['train', '--config', join(root, 'configs/eigen.json'), '--epochs', String(epochs), '--quiet'],
  ]

  // The first process compiles what the next ones find.
  beforeAll(() => cpuOf('first', trainArgs(1)), 60_000)

  // One process is measured for all: they share nothing but the processor, so N of them take N times its CPU time. To start
  // several would show nothing more, as their starts take more CPU time, and vary more, than their epochs.
  it.each([
    { name: 'one process with 64 models', processes: 1, argsOf: sweepArgs, few: 1, many: 9 },
    { name: 'eight processes with 8 models each', processes: 8, argsOf: sweepArgs, few: 3, many: 35 },
    { name: '64 processes with a model each', processes: 64, argsOf: trainArgs, few: 5, many: 45 },
  ])(
    'is kept busy by $name, of which one is measured',
    { timeout: 900_000 },
    async ({ name, processes, argsOf, few, many }) => {
      const runs = models / processes
      const before = await cpuOf(`${name}-${few}`, argsOf(few, runs))
      const after = await cpuOf(`${name}-${many}`, argsOf(many, runs))
      const ofEpoch = (thread: 'main' | 'all') => (after[thread] - before[thread]) / (runs * (many - few))
      const slowness = Math.max(1, referenceMilliseconds() / referenceOnHost)
      const limit = (slowness * cardMilliseconds) / leastShare
      expect(ofEpoch('main'), 'milliseconds of the main threads').toBeLessThan(
        Math.min(processes, cores) * limit,
      )
      expect(ofEpoch('all'), 'milliseconds of all threads').toBeLessThan(cores * limit)
    },
  )
})
