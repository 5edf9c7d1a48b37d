import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { readWholeRun } from '../src/runs/read.js'
import { decodeSafetensors } from '../src/runs/safetensors.js'
import { eigenae, scratchFolder, start, trainArgs } from './support/cli.js'
import { endedAt, holdAt } from './support/hold.js'
import { dataFolder } from './support/idx.js'
import { expectSameRuns, readJson } from './support/sweeps.js'

const scratch = scratchFolder()
const few = `data.source=${dataFolder(scratch('data'))}`

async function trained(name: string, data: string, ...args: readonly string[]) {
  const folder = scratch(name)
  const result = await eigenae([...trainArgs('eigen.json', folder, data, 'train.epochs=2'), ...args])
  return { folder, ...result }
}

describe('a run folder', () => {
  const folder = scratch('whole')
  beforeAll(async () => {
    expect((await trained('whole', 'data.limit=2000', '--threads', '1')).code).toBe(0)
  })

  it('holds exactly the documented files', async () => {
    const files = [
      'checkpoint',
      'config.json',
      'evaluation.json',
      'layers.csv',
      'losses.csv',
      'metrics.csv',
      'model.safetensors',
      'run.json',
    ]
    expect((await readdir(folder)).sort()).toEqual([...files, 'spectrum.csv', 'timings.csv'])
    expect(await readdir(scratch('whole', 'checkpoint'))).toEqual(['state.safetensors'])
  })

  it('has a row of metrics per epoch, and a row of the spectrum per dimension from epoch 0 on', async () => {
    const { metrics, spectrum } = await readWholeRun(folder)
    expect(metrics.map((row) => row.epoch)).toEqual([1, 2])
    expect(spectrum.map((row) => row.epoch)).toEqual([0, 1, 2].flatMap((epoch) => Array(10).fill(epoch)))
    for (const { epoch, train_loss, train_mse, train_eigen, top_share } of metrics) {
      expect(train_loss).toBeCloseTo(train_mse + train_eigen, 6)
      expect(spectrum.find((row) => row.epoch === epoch && row.rank === 1)?.singular_share).toBe(top_share)
    }
    const shares = spectrum.slice(-10).map((row) => row.singular_share)
    expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 9)
    expect([...shares].sort((a, b) => b - a)).toEqual(shares)
  })

  it('is the same, byte for byte, when its own config.json is trained again', async () => {
    const again = scratch('again')
    await eigenae(['train', '--config', `${folder}/config.json`, '--out', again])
    await expectSameRuns(['.'], again, folder)
  })

  it('is the same, byte for byte, at 1, 2 and 3 threads', async () => {
    for (const threads of ['2', '3']) {
      const other = await trained(`threads-${threads}`, 'data.limit=2000', '--threads', threads)
      await expectSameRuns(['.'], other.folder, folder)
    }
  })

  it('records in run.json the run, its engine and its outcome', async () => {
    const record = readJson(`${folder}/run.json`)
    expect(record).toMatchObject({ status: 'completed', name: 'eigen', seed: 0, device: 'cpu' })
    expect(record.engine.name).toBe('native')
    expect(Date.parse(record.ended)).toBeGreaterThanOrEqual(Date.parse(record.started))
  })

  it('has a model whose tensors have the names and shapes of the layers', async () => {
    const folder = scratch('norm')
    await eigenae(trainArgs('batch-norm.json', folder, 'data.limit=500', 'train.epochs=1'))
    const file = `${folder}/model.safetensors`
    const { tensors, metadata } = decodeSafetensors(await readFile(file), file)
    expect(tensors.get('encoder.0.weight')?.shape).toEqual([128, 784])
    expect(tensors.get('encoder.3.running_var')?.shape).toEqual([10])
    expect(tensors.get('decoder.3.bias')?.shape).toEqual([784])
    expect(tensors.has('decoder.3.gamma')).toBe(false)
    expect(JSON.parse(metadata.config!).name).toBe('batch-norm')
  })

  it('is runs/<name>/seed-<seed> without --out', async () => {
    const args = trainArgs('eigen.json', 'x', 'data.limit=100', 'train.epochs=1').filter(
      (arg) => arg !== '--out' && arg !== 'x',
    )
    const { stdout } = await eigenae([...args, '--seed', '3', '--json'], { cwd: scratch() })
    expect(JSON.parse(stdout).folder).toBe('runs/eigen/seed-3')
    expect(await readdir(scratch('runs/eigen/seed-3'))).toContain('evaluation.json')
  })
})

it('leaves the value of an eigen loss empty in an epoch in which its weight is 0', async () => {
  const folder = scratch('switched-off', 'seed-0')
  const weight = 'loss.eigen.weight={"from":1,"to":0,"shape":"step","epochs":1}'
  const args = trainArgs('eigen.json', folder, few, weight)
  for (const epochs of ['2', '3'])
    expect((await eigenae([...args, '--epochs', epochs, '--resume'])).code, `epochs ${epochs}`).toBe(0)
  const { metrics, losses } = await readWholeRun(folder)
  expect(metrics.map((row) => row.train_eigen)).toEqual([expect.any(Number), Number.NaN, Number.NaN])
  expect(losses.map(({ value }) => value)).toEqual([metrics[0]!.train_eigen, Number.NaN, Number.NaN])
  expect(metrics[0]!.train_eigen).toBeGreaterThan(0)
  expect(metrics[1]!.train_loss).toBe(metrics[1]!.train_mse)
  expect(await readFile(`${folder}/losses.csv`, 'utf8')).toContain('\n2,1,top-k,0,,0\n3,1,top-k,0,,0\n')
  const readers = [['plot'], ['compare', '--out', scratch('report')], ['runs'], ['verify']]
  const exported = ['export', '--format', 'tensorboard', '--out', scratch('board')]
  const all = await Promise.all(
    [...readers, exported].map(([command, ...rest]) => eigenae([command!, folder, ...rest])),
  )
  expect(all.map(({ stderr, code }) => (code === 0 ? code : stderr))).toEqual([0, 0, 0, 0, 0])
})

describe('the output of train', () => {
  it('is the results on stdout, and a line per epoch on stderr without a terminal', async () => {
    const { stdout, stderr } = await trained('printed', few)
    expect(stdout).toMatch(/^test MSE +0\.\d+\nnoisy test MSE +0\.\d+$/m)
    expect(stderr).toMatch(/^epoch 1\/2 {2}loss .* images\/s\nepoch 2\/2 {2}loss/m)
  })

  it('may be closed without stopping the run', async () => {
    const folder = scratch('unread')
    const hold = holdAt(1)
    const args = trainArgs('baseline.json', folder, few, 'train.epochs=3')
    const running = start(args, { env: hold.env })
    running.process.stdout?.destroy()
    await hold.reached()
    running.process.stderr?.destroy()
    running.process.kill('SIGCONT')
    expect((await running.finished).code).toBe(0)
    expect(readJson(`${folder}/run.json`).status).toBe('completed')
  })

  it('is empty on stderr with --quiet, and one JSON value on stdout with --json', async () => {
    const { stdout, stderr, folder } = await trained('quiet', few, '--quiet', '--json')
    const evaluation = readJson(`${folder}/evaluation.json`)
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({ folder, ...evaluation })
  })
})

describe('train --json-lines', () => {
  const linesOf = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  const epochsOf = (lines: readonly { readonly event: string }[]) =>
    lines.filter(({ event }) => event === 'epoch')
  const argsFor = (folder: string, epochs: number) => [
    ...trainArgs('eigen.json', folder, few),
    ...['--epochs', String(epochs), '--resume', '--json-lines'],
  ]
  /** Returns the rows of metrics.csv as the lines have them. */
  const rowsOf = async (folder: string) =>
    JSON.parse(JSON.stringify((await readWholeRun(folder)).metrics)).map((row: object) => ({
      event: 'epoch',
      ...row,
    }))

  it('prints the start, each new epoch of a lengthened run with the columns of metrics.csv, and the end', async () => {
    const folder = scratch('lines')
    const first = await eigenae([...argsFor(folder, 2), '--quiet'])
    expect(first.stderr).toBe('')
    const lines = linesOf(first.stdout)
    const named = { folder, name: 'eigen', seed: 0 }
    expect(lines[0]).toEqual({ event: 'started', ...named, epoch: 0, epochs: 2 })
    expect(lines.slice(1, -1)).toEqual(await rowsOf(folder))
    const evaluation = readJson(`${folder}/evaluation.json`)
    expect(lines.at(-1)).toEqual({ event: 'completed', folder, seconds: expect.any(Number), ...evaluation })

    const longer = linesOf((await eigenae(argsFor(folder, 4))).stdout)
    expect(longer[0]).toEqual({ event: 'started', ...named, epoch: 2, epochs: 4 })
    expect([...lines.slice(1, -1), ...longer.slice(1, -1)]).toEqual(await rowsOf(folder))
    const again = linesOf((await eigenae(argsFor(folder, 4))).stdout)
    expect(again.map(({ event }) => event)).toEqual(['completed'])
  })

  it('prints no epoch that a kill would lose', async () => {
    const folder = scratch('lines-killed')
    const killed = linesOf((await endedAt(2, 'SIGKILL', argsFor(folder, 3))).stdout)
    expect(killed.map(({ event, epoch }) => [event, epoch])).toEqual([
      ['started', 0],
      ['epoch', 1],
    ])
    const resumed = linesOf((await eigenae(argsFor(folder, 3))).stdout)
    expect(resumed[0]).toMatchObject({ event: 'started', epoch: 1 })
    expect([...epochsOf(killed), ...epochsOf(resumed)]).toEqual(await rowsOf(folder))
  })

  it('ends with the reason if the run is stopped or fails', async () => {
    const folder = scratch('lines-stopped')
    const { stdout, code } = await endedAt(1, 'SIGTERM', argsFor(folder, 3))
    expect(code).toBe(130)
    const stopped = linesOf(stdout)
    const saved = epochsOf(stopped).length
    expect(stopped.at(-1)).toEqual({
      event: 'interrupted',
      folder,
      reason: expect.stringContaining(`interrupted; epoch ${saved} of 3 is saved`),
    })
    const other = await eigenae([...argsFor(folder, 3), '--set', 'loss.eigen.weight=2'])
    expect([other.code, linesOf(other.stdout)]).toEqual([
      2,
      [{ event: 'failed', folder, reason: expect.stringContaining('loss.eigen.weight: 1 in the folder') }],
    ])
    expect((await eigenae([...argsFor(folder, 3), '--json'])).stderr).toContain(
      'choose one of --json and --json-lines',
    )
  })
})

describe('an instruction set that this processor does not have', () => {
  it('is refused before anything is written, and no other device is used', async () => {
    const folder = scratch('no-such-set')
    const { code, stderr } = await eigenae(trainArgs('eigen.json', folder), {
      env: { EIGENAE_ISA: 'avx1024' },
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^eigenae: EIGENAE_ISA: this processor has no instruction set "avx1024"\nUse one of [\w-]+(, [\w-]+)*, or unset/,
    )
    expect(existsSync(folder)).toBe(false)
  })
})
