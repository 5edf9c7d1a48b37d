import { readFile, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { readRun } from '../src/runs/read.js'
import { eigenae, scratchFolder, start, trainArgs } from './support/cli.js'
import { endedAt, holdAt, saveEveryEpoch } from './support/hold.js'
import { dataFolder } from './support/idx.js'
import { sealRun } from './support/seal.js'
import { expectSameRuns, readJson, until } from './support/sweeps.js'

const scratch = scratchFolder()
const settings = [`data.source=${dataFolder(scratch('data'))}`, 'train.epochs=16']
const argsFor = (folder: string, ...args: readonly string[]) => [
  ...trainArgs('eigen.json', folder, ...settings),
  ...args,
]
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

let undisturbed: string
let undisturbedMilliseconds: number

beforeAll(async () => {
  undisturbed = scratch('undisturbed')
  const started = performance.now()
  await start(argsFor(undisturbed)).finished
  undisturbedMilliseconds = performance.now() - started
})

describe('a run that is resumed', () => {
  it('ends with the same bytes after kill -9 at five random moments', async () => {
    const folder = scratch('killed')
    const moments = Array.from({ length: 5 }, () => (0.5 + 0.5 * Math.random()) * undisturbedMilliseconds)
    for (const moment of moments) {
      const running = start(argsFor(folder, '--resume'), { env: { NODE_OPTIONS: saveEveryEpoch } })
      await pause(moment)
      running.process.kill('SIGKILL')
      await running.finished
    }
    const after = `killed after ${moments.map(Math.round).join(', ')} ms`
    expect((await eigenae(argsFor(folder, '--resume'))).code, after).toBe(0)
    await expectSameRuns(['.'], folder, undisturbed, after)
  })

  it('ends with the same bytes after kill -9 in the middle of a row', async () => {
    const folder = scratch('half-row')
    await endedAt(2, 'SIGKILL', argsFor(folder))
    await writeFile(`${folder}/metrics.csv`, '3,0.27', { flag: 'a' })
    await writeFile(`${folder}/spectrum.csv`, '3,1,12.5,0.2,156.2,0.4\n3,2,', { flag: 'a' })
    expect((await eigenae(argsFor(folder, '--resume', '--threads', '1'))).code).toBe(0)
    await expectSameRuns(['.'], folder, undisturbed)
  })

  it('is listed as interrupted after its process was killed', async () => {
    const folder = scratch('gone')
    const hold = holdAt(1)
    const running = start(argsFor(folder), { env: hold.env })
    await hold.reached()
    expect((await readRun(folder)).status).toBe('running')
    running.process.kill('SIGKILL')
    await running.finished
    expect((await readRun(folder)).status).toBe('interrupted')
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGUSR1'] as const)('ends with 130 at %s, and resumes', async (name) => {
    const folder = scratch(name)
    const { code, stderr } = await endedAt(2, name, argsFor(folder))
    expect(code).toBe(130)
    expect(stderr).toContain('stopping')
    expect(stderr).toContain('--resume')
    expect(stderr).not.toContain('Debugger')
    expect((await readRun(folder)).record.status).toBe('interrupted')
    expect((await eigenae(argsFor(folder, '--resume'))).code).toBe(0)
    await expectSameRuns(['.'], folder, undisturbed)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('stops at %s in the middle of an epoch', async (name) => {
    const folder = scratch(`middle-${name}`)
    // The epoch would take minutes on any machine, so a stop within the test's time limit is a stop within the epoch.
    const endless = ['model.widths=[784,1024,1024,10]', 'train.batchSize=1']
    const running = start(trainArgs('baseline.json', folder, ...endless))
    // The checkpoint is written while the first epoch trains.
    await until(
      async () => (await readFile(`${folder}/checkpoint/state.safetensors`)).length || null,
      'epoch 0',
    )
    running.process.kill(name)
    const { code, stderr } = await running.finished
    expect(code).toBe(130)
    expect(stderr).not.toContain('epoch 1/')
    expect((await readRun(folder)).record.status).toBe('interrupted')
  })

  it('does nothing if it is complete', async () => {
    const before = await readFile(`${undisturbed}/run.json`)
    const { code, stdout, stderr } = await eigenae(argsFor(undisturbed, '--resume'))
    expect(code).toBe(0)
    expect(stderr).toContain('already complete')
    expect(stdout).toContain('test MSE')
    expect(await readFile(`${undisturbed}/run.json`)).toEqual(before)
  })

  it('starts if there is no run yet', async () => {
    const { code, stderr } = await eigenae([
      ...trainArgs('eigen.json', scratch('fresh'), ...settings, 'train.epochs=1'),
      '--resume',
    ])
    expect(code).toBe(0)
    expect(stderr).toContain('nothing to resume')
  })
})

describe('a resume', () => {
  it('is refused with another config, naming each field that differs', async () => {
    const before = await readFile(`${undisturbed}/config.json`)
    const { code, stderr } = await eigenae(
      argsFor(undisturbed, '--resume', '--set', 'loss.eigen.weight=0.5', '--seed', '4'),
    )
    expect(code).toBe(2)
    expect(stderr).toContain('loss.eigen.weight: 1 in the folder, 0.5 now')
    expect(stderr).toContain('seed: 0 in the folder, 4 now')
    expect(await readFile(`${undisturbed}/config.json`)).toEqual(before)
  })

  it('keeps the device that auto chose, and the reason', async () => {
    const folder = scratch('auto')
    await endedAt(2, 'SIGINT', argsFor(folder))
    const { device, deviceReason } = readJson(`${folder}/run.json`)
    expect((await eigenae(argsFor(folder, '--resume'))).code).toBe(0)
    expect(readJson(`${folder}/run.json`)).toMatchObject({ device, deviceReason })
    expect(deviceReason).not.toBe('asked for')
  })

  it('is refused if the run was started on a device of another version', async () => {
    const folder = scratch('other-device')
    await endedAt(1, 'SIGINT', argsFor(folder))
    sealRun(folder, { device: 'tpu' })
    const { code, stderr } = await eigenae(argsFor(folder, '--resume'))
    expect(stderr).toContain('this run was started on the device tpu, which this version does not have')
    expect(code).toBe(1)
  })

  it('is refused while another process writes into the folder', async () => {
    const folder = scratch('busy')
    const hold = holdAt(1)
    const running = start(argsFor(folder), { env: hold.env })
    await hold.reached()
    const { code, stderr } = await eigenae(argsFor(folder, '--resume'))
    expect(code).toBe(1)
    expect(stderr).toContain(`process ${running.process.pid} is writing into this folder`)
    running.process.kill('SIGCONT')
    expect((await running.finished).code).toBe(0)
    await expectSameRuns(['.'], folder, undisturbed)
    expect(readJson(`${folder}/run.json`).status).toBe('completed')
  })
})
