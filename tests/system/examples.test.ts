import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readWholeRun } from '../../src/runs/read.js'
import { configs, eigenae, scratchFolder, trainArgs } from '../support/cli.js'
import { missingPython, pythonWith, runPython } from '../support/python.js'
import { skipsWithout } from '../support/requirements.js'
import { readJson, tinyConfigs, until, writeJson } from '../support/sweeps.js'

const skipped = skipsWithout(missingPython())
const scratch = scratchFolder()
const examples = join(import.meta.dirname, '../../examples')
let python: string

beforeAll(() => {
  if (!skipped) python = pythonWith(['pandas', 'matplotlib', 'optuna', 'nbclient', 'ipykernel'])
}, 600_000)

/** Runs a Python program that may import the module, and returns the value that it prints as JSON. */
function evaluate(program: string) {
  const imports = `import json, sys\nsys.path.insert(0, ${JSON.stringify(examples)})\nimport eigenae\n`
  return JSON.parse(runPython(python, imports + program, scratch()))
}

/** Returns a row as pandas prints it, which rounds numbers to 15 digits and has null for NaN. */
function asRead(row: object): object {
  const closeTo = (value: unknown) => (typeof value === 'number' ? expect.closeTo(value, 12) : value)
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, Number.isNaN(value) ? null : closeTo(value)]),
  )
}

describe.skipIf(skipped)('eigenae.py', () => {
  const settings = ['data.limit=500', 'model.widths=[784,16,4]', 'train.epochs=2']
  const averaging = 'optimizer.averaging={"kind":"ema","decay":0.9}'
  beforeAll(async () => {
    const leaky = trainArgs(
      'batch-norm.json',
      scratch('module/norm/seed-0'),
      ...settings,
      'model.activation=leaky-relu',
    )
    const silu = trainArgs('kl-silu.json', scratch('module/silu/seed-3'), ...settings, averaging, 'seed=3')
    for (const args of [leaky, silu]) expect((await eigenae(args)).code).toBe(0)
  }, 100_000)

  it('reads the tables as the functions of the package do', async () => {
    const { metrics, spectrum, layers, losses } = await readWholeRun(scratch('module/silu/seed-3'))
    const names = ['metrics', 'spectrum', 'layers', 'losses']
    const tables = names.map(
      (name) =>
        `eigenae.${name}('module/silu/seed-3').reset_index().to_json(orient='records', double_precision=15)`,
    )
    const read = evaluate(`print('[' + ','.join([${tables}]) + ']')`)
    for (const [index, rows] of [metrics, spectrum, layers, losses].entries()) {
      expect(read[index]).toHaveLength(rows.length)
      for (const [at, row] of rows.entries()) expect(read[index][at]).toEqual(asRead(row))
    }
  })

  it('has a row per run with config, metrics and accuracies', () => {
    const [norm, silu] = evaluate(
      "print(eigenae.runs('module').reset_index().to_json(orient='records', double_precision=15))",
    )
    const { metrics, linear_probe_accuracy } = readJson(scratch('module/norm/seed-0/evaluation.json'))
    expect(norm).toMatchObject({
      ...{ run: 'norm/seed-0', arm: 'norm', seed: 0, status: 'completed', epoch: 2, epochs: 2 },
      ...{ 'model.widths': [784, 16, 4], 'optimizer.learningRate': 0.005, 'loss.eigen.0.kind': null },
      test_mse: expect.closeTo(metrics.test_mse, 12),
      linear_probe_accuracy: expect.closeTo(linear_probe_accuracy, 12),
    })
    expect(silu).toMatchObject({
      arm: 'silu',
      seed: 3,
      'loss.eigen.1.kind': 'kl-normal',
      'optimizer.learningRate.to': 0.001,
    })
  })

  it('computes the embeddings and reconstructions of the engine', () => {
    for (const run of ['norm/seed-0', 'silu/seed-3']) {
      const { shapes, difference, mse } = evaluate(`
import numpy
run = 'module/${run}'
images, labels = eigenae.images('test')
z, embedded = eigenae.embedding(run)
network = eigenae.model(run)
own = eigenae.encode(network, images)
assert (labels == embedded).all() and own.dtype == z.dtype == numpy.float32
mse = float(((eigenae.decode(network, own) - images) ** 2).mean(dtype=float))
shapes = [images.shape, z.shape, network['encoder.0.weight'].shape]
print(json.dumps({'shapes': shapes, 'difference': float(abs(own - z).max()), 'mse': mse}))`)
      expect(shapes).toEqual([
        [10_000, 784],
        [10_000, 4],
        [16, 784],
      ])
      expect(difference).toBeLessThan(1e-5)
      expect(mse).toBeCloseTo(readJson(scratch(`module/${run}/evaluation.json`)).metrics.test_mse, 6)
    }
  })

  it('stops a run that is left, resumes it, and raises the message of a failure', () => {
    const config = JSON.stringify(join(configs, 'eigen.json'))
    const { first, saved, rest, failure } = evaluate(`
arguments = (${config}, 'left/seed-0', {'data.limit': 500, 'model.widths': [784, 16, 4]})
events = eigenae.train(*arguments, epochs=1000)
first = [next(events), next(events)]
events.close()
saved = len(eigenae.metrics('left/seed-0'))
status = eigenae.runs('left').status.iloc[0]
rest = list(eigenae.train(${config}, 'left/seed-1', arguments[2], epochs=2))
try: list(eigenae.train(${config}, 'left/seed-1', {'seed': 5}))
except eigenae.CommandError as error: failure = str(error)
print(json.dumps({'first': first, 'saved': [status, saved], 'rest': rest, 'failure': failure}))`)
    expect(first).toMatchObject([
      { event: 'started', epoch: 0 },
      { event: 'epoch', epoch: 1 },
    ])
    expect(saved).toEqual(['interrupted', expect.any(Number)])
    expect(saved[1]).toBeLessThan(1000)
    expect(rest.map(({ event }: { event: string }) => event)).toEqual([
      'started',
      'epoch',
      'epoch',
      'completed',
    ])
    expect(failure).toContain('seed: 0 in the folder, 5 now')
  })
})

describe.skipIf(skipped)('optuna_search.py', () => {
  const program = join(examples, 'optuna_search.py')
  const rest = ['2,4', 'data.limit=500', 'data.validation=200', 'model.widths=[784,16,4]']
  const argsFor = (folder: string, trials: number) => [program, folder, String(trials), ...rest]
  const search = (folder: string, trials: number) =>
    spawnSync(python, argsFor(folder, trials), { cwd: scratch(), encoding: 'utf8' })
  const runsIn = (folder: string) =>
    readdirSync(scratch(folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => scratch(folder, name))
  const epochsOf = async (folder: string) =>
    Promise.all(runsIn(folder).map(async (run) => (await readWholeRun(run)).metrics.length))

  it('prunes, and lengthens the promoted runs to the bytes of runs trained at once', async () => {
    const { stdout, stderr } = search('search', 9)
    const lines = stdout.trim().split('\n')
    expect(stderr).toMatch(/^2 epochs: 9 trials, [4-8] not pruned\n4 epochs: 3 trials, 3 not pruned\n$/)
    const epochs = await epochsOf('search')
    expect(epochs).toHaveLength(9)
    const trained = epochs.reduce((sum, each) => sum + each, 0)
    expect(lines.at(-1)).toBe(`${trained} epochs trained instead of 36`)
    expect(epochs.filter((each) => each === 4)).toHaveLength(3)
    const [, error, run] = /^validation_denoise_mse (\S+) .* (\S+)$/.exec(lines[0]!)!
    expect(Number(error)).toBeCloseTo(
      (await readWholeRun(scratch(run!))).metrics[3]!.validation_denoise_mse,
      5,
    )
    expect(readJson(scratch(run!, 'run.json'))).toMatchObject({
      status: 'completed',
      shorterConfigs: [{ epochs: 2 }],
    })
    expect(
      (await eigenae(['train', '--config', scratch(run!, 'config.json'), '--out', scratch('at-once')])).code,
    ).toBe(0)
    for (const file of ['metrics.csv', 'model.safetensors'])
      expect(readFileSync(scratch(run!, file)).equals(readFileSync(scratch('at-once', file))), file).toBe(
        true,
      )
    expect(search('search', 9).stdout).toBe(stdout)
  }, 300_000)

  it('continues a killed search with the trial that it was training', async () => {
    const killed = spawn(python, argsFor('killed', 4), { cwd: scratch(), stdio: 'ignore', detached: true })
    await until(() => runsIn('killed').length === 3 || null, 'the third trial')
    process.kill(-killed.pid!, 'SIGKILL')
    await once(killed, 'close')
    expect(search('killed', 4).status).toBe(0)
    expect(runsIn('killed')).toHaveLength(4)
    expect(search('killed', 5).status).toBe(0)
    expect(runsIn('killed')).toHaveLength(5)
    expect(Math.max(...(await epochsOf('killed')))).toBe(4)
  }, 300_000)
})

describe.skipIf(skipped)('notebook.ipynb', () => {
  it('trains, compares and plots three arms', async () => {
    const file = JSON.stringify(join(examples, 'notebook.ipynb'))
    const cells = evaluate(`
import os, nbformat
from nbclient import NotebookClient
os.environ['PYTHONPATH'] = sys.path[0]
notebook = nbformat.read(${file}, 4)
NotebookClient(notebook, timeout=300, resources={'metadata': {'path': '.'}}).execute()
print(json.dumps([cell.outputs for cell in notebook.cells if cell.cell_type == 'code']))`)
    const outputs: readonly { readonly text?: string; readonly data?: Readonly<Record<string, string>> }[] =
      cells.flat()
    const printed = outputs.map(({ text = '' }) => text).join('')
    expect(printed.match(/: epoch [12], test MSE 0\.0\d+\n/g)).toHaveLength(12)
    expect(outputs.filter(({ data }) => data?.['image/png'] !== undefined)).toHaveLength(3)
    const table = outputs
      .map(({ data }) => data?.['text/plain'] ?? '')
      .find((text) => text.includes('batch-norm'))
    const args = ['compare', 'runs/notebook', '--json', '--metric', 'effective_rank']
    const { stdout } = await eigenae(args, { cwd: scratch() })
    for (const { group, mean } of JSON.parse(stdout).rows)
      expect(table).toMatch(new RegExp(`^${group.split('/').at(-1)} .* ${mean.toFixed(6)} `, 'm'))
  }, 400_000)
})

it.skipIf(skipped)(
  'plot_runs.py reads a sweep with pandas and plots it',
  async () => {
    tinyConfigs(scratch(), 2)
    const variants = { none: 'none.json', eigen: 'eigen.json' }
    const sweep = writeJson(scratch('sweep.json'), { name: 'read', variants, seeds: '0-1' })
    expect((await eigenae(['sweep', '--config', sweep], { cwd: scratch() })).code).toBe(0)
    const program = join(examples, 'plot_runs.py')
    const printed = execFileSync(python, [program, 'runs/read', 'picture.png'], {
      cwd: scratch(),
      encoding: 'utf8',
    })
    const { stdout } = await eigenae(['compare', 'runs/read', '--json', '--metric', 'test_mse'], {
      cwd: scratch(),
    })
    for (const { group, mean } of JSON.parse(stdout).rows) {
      const row = printed.split('\n').find((line) => line.startsWith(`${group.split('/').at(-1)} `))
      // pandas prints six decimals.
      expect(Number(row?.split(/ +/)[1])).toBeCloseTo(mean, 6)
    }
    const png = readFileSync(scratch('picture.png'))
    // The size in pixels is in the head of a PNG file.
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1650, 600])
  },
  300_000,
)
