import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type ConfigInput,
  compareRuns,
  EigenaeError,
  Interruption,
  readRun,
  readRuns,
  type SweepEvent,
  sweep,
  train,
} from '../src/index.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const root = join(import.meta.dirname, '..')
const scratch = scratchFolder()
const file = () => scratch('eigen.json')
const config = () => readJson(file()) as ConfigInput

async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof EigenaeError ? error.message : `not an EigenaeError: ${error}`),
  )
}

beforeAll(async () => {
  tinyConfigs(scratch(), 3)
  expect((await eigenae(['train', '--config', file(), '--out', scratch('command')])).code).toBe(0)
})

describe('train', () => {
  it('gives the bytes of the command, from a file or from an object', async () => {
    await train({ config: file(), out: scratch('file') })
    const run = await train({ config: config(), out: scratch('object') })
    await expectSameRuns(['.'], scratch('file'), scratch('command'))
    await expectSameRuns(['.'], scratch('object'), scratch('command'))
    expect([run.status, run.metrics.length, run.config.name]).toEqual(['completed', 3, 'eigen'])
  })

  it('reports each epoch and passes on the messages of the command', async () => {
    const epochs: number[] = []
    const messages: string[] = []
    await train({
      config: file(),
      set: { 'train.epochs': 2, seed: 5 },
      out: scratch('told'),
      onEpoch: ({ epoch }) => epochs.push(epoch),
      onMessage: (message) => messages.push(message),
    })
    expect(epochs).toEqual([1, 2])
    expect(messages[0]).toMatch(/told: 200 images on cpu/)
    expect(readJson(scratch('told/config.json'))).toMatchObject({ seed: 5, train: { epochs: 2 } })
  })

  it('stops by its signal, and resumes with the same bytes', async () => {
    const controller = new AbortController()
    const options = { config: file(), out: scratch('stopped') }
    const stopped = train({ ...options, signal: controller.signal, onEpoch: () => controller.abort() })
    await expect(stopped).rejects.toBeInstanceOf(Interruption)
    expect((await readRun(scratch('stopped'))).status).toBe('interrupted')
    await train({ ...options, resume: true })
    await expectSameRuns(['.'], scratch('stopped'), scratch('command'))
    expect(await refusal(train({ ...options, signal: AbortSignal.abort() }))).toContain('interrupted')
  })

  it('saves an epoch that it has reported, even if its layers take long to measure', async () => {
    const controller = new AbortController()
    const messages: string[] = []
    const options = {
      config: config(),
      set: { 'model.widths': [784, 256, 4], 'train.epochs': 2 },
      out: scratch('stopped-wide'),
      onMessage: (message: string) => messages.push(message),
    }
    const stopped = train({ ...options, signal: controller.signal, onEpoch: () => controller.abort() })
    await expect(stopped).rejects.toThrow('stopped-wide: interrupted; epoch 1 of 2 is saved')
    await train({ ...options, resume: true })
    expect(messages).toContain('resuming after epoch 1')
  })

  it('refuses mistakes with their path, and folders that are in use', async () => {
    const wrong = { ...config(), data: { noise: -1 } }
    expect(await refusal(train({ config: wrong, set: { 'train.epoch': 3 } }))).toBe(
      [
        'config: this config cannot be used',
        '  field data.noise: must be at least 0 (got -1)',
        '  set train.epoch: unknown key; did you mean "epochs"?',
      ].join('\n'),
    )
    expect(await refusal(train({ config: file(), out: scratch('command') }))).toContain('is not empty')
    const both = { resume: true, overwrite: true }
    expect(await refusal(train({ config: file(), ...both }))).toBe('choose one of resume and overwrite')
  })
})

describe('sweep', () => {
  it('trains the runs of a sweep file, reports the events, and returns folders, counts and failures', async () => {
    const variants = { none: 'none.json', eigen: 'eigen.json', lost: 'no-data.json' }
    const plan = writeJson(scratch('plan.json'), { name: 'plan', variants })
    const events: SweepEvent[] = []
    const options = { config: plan, out: scratch('swept'), seeds: '0-1', settings: { jobs: 2 } }
    const { runs, counts, failures } = await sweep({ ...options, onEvent: (event) => events.push(event) })
    expect(runs).toContain(scratch('swept/eigen/seed-1'))
    expect(counts).toMatchObject({ completed: 4, failed: 2, left: 0 })
    expect(failures.map(({ name }) => name).sort()).toEqual(['lost/seed-0', 'lost/seed-1'])
    expect(events[0]).toMatchObject({ event: 'planned', runs: 6 })
    expect(events.at(-1)).toMatchObject({ event: 'finished' })
    await expectSameRuns(['.'], scratch('swept/eigen/seed-0'), scratch('command'))
  })

  it('refuses settings of another launcher and seeds that cannot be read', async () => {
    const config = scratch('plan.json')
    expect(await refusal(sweep({ config, settings: { partition: 'gpu' } }))).toContain('--partition')
    expect(await refusal(sweep({ config, seeds: '3-1' }))).toContain('seeds: the range 3-1')
  })
})

describe('readRun, readRuns and compareRuns', () => {
  it('return what the commands print', async () => {
    const run = await readRun(scratch('command'))
    expect(run.spectrum.filter(({ epoch }) => epoch === 3)).toHaveLength(4)
    const runs = await readRuns(scratch('swept'))
    expect(runs.map(({ status }) => status).sort()).toEqual([...Array(4).fill('completed')])
    const printed = JSON.parse((await eigenae(['compare', scratch('swept'), '--json'])).stdout)
    const { results, arms } = await compareRuns(scratch('swept'), { baseline: scratch('swept/none') })
    expect(arms.map(({ name }) => name)).toEqual(printed.groups.map(({ group }: { group: string }) => group))
    expect(results.map(({ summary }) => summary.mean)).toEqual(
      printed.rows.map(({ mean }: { mean: number }) => mean),
    )
  })

  it('list damaged runs, but do not read them as whole', async () => {
    await train({ config: file(), out: scratch('damaged') })
    writeFileSync(scratch('damaged/metrics.csv'), 'epoch\n')
    expect((await readRuns([scratch('damaged'), scratch('command')])).map(({ status }) => status)).toEqual([
      'damaged',
      'completed',
    ])
    expect(await refusal(readRun(scratch('damaged')))).toContain('this run is damaged')
    writeFileSync(scratch('damaged/run.json'), '{')
    expect(await refusal(readRuns(scratch('damaged')))).toContain(
      'run.json: is not the record of an eigenae run',
    )
    const errors: EigenaeError[] = []
    const readable = await readRuns([scratch('damaged'), scratch('command')], {
      onUnreadable: (error) => errors.push(error),
    })
    expect([readable.map(({ folder }) => folder), errors.length]).toEqual([[scratch('command')], 1])
    expect(await refusal(readRuns(scratch('nowhere')))).toContain('does not exist')
  })
})

describe('the package', () => {
  const consumer = scratch('consumer')
  const program = `import { compareRuns, EigenaeError, readRun, readRuns, sweep, train, type TrainOptions } from 'eigenae'
const options: TrainOptions = { config: { name: 'a', loss: { eigen: { kind: 'top-k', k: 1 } } }, set: { seed: 1 } }
export async function rank(): Promise<number> {
  const { metrics, config } = await readRun(${JSON.stringify(scratch('command'))})
  const width: number = config.model.widths[0]!
  return metrics.at(-1)!.effective_rank + 0 * width
}
console.log(await rank(), [compareRuns, readRuns, sweep, train, EigenaeError].map((each) => typeof each), options.set)
`
  beforeAll(() => {
    mkdirSync(join(consumer, 'node_modules'), { recursive: true })
    symlinkSync(root, join(consumer, 'node_modules/eigenae'))
    writeJson(join(consumer, 'package.json'), { type: 'module' })
    writeFileSync(join(consumer, 'program.ts'), program)
  })

  it('is imported by its name, with types that a strict compiler accepts', () => {
    const strict = [
      '--strict',
      '--noUncheckedIndexedAccess',
      '--exactOptionalPropertyTypes',
      '--verbatimModuleSyntax',
    ]
    const target = [
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      'node',
      '--typeRoots',
      join(root, 'node_modules/@types'),
    ]
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...strict, ...target, 'program.ts'], {
      cwd: consumer,
      encoding: 'utf8',
    })
    expect([status, stdout]).toEqual([0, ''])
    const printed = execFileSync(process.execPath, ['program.js'], { cwd: consumer, encoding: 'utf8' })
    expect(printed).toMatch(
      /^\d\.\d+ \[ 'function', 'function', 'function', 'function', 'function' \] \{ seed: 1 \}/,
    )
  })

  it('has no other entry but its package.json', () => {
    const inner = "import('eigenae/dist/runs/read.js').catch(({ code }) => console.log(code))"
    expect(execFileSync(process.execPath, ['-e', inner], { cwd: consumer, encoding: 'utf8' })).toBe(
      'ERR_PACKAGE_PATH_NOT_EXPORTED\n',
    )
  })
})
