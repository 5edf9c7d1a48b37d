import { copyFileSync, cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.js'
import { releaseLock } from '../src/files/lock.js'
import { runFiles } from '../src/runs/files.js'
import { readRun } from '../src/runs/read.js'
import { readRecord } from '../src/runs/record.js'
import { claimRunFolder, lengthenedRecord } from '../src/runs/resume.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { endedAt } from './support/hold.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const argsFor = (folder: string, epochs: number, ...args: readonly string[]) => [
  ...['train', '--config', scratch('eigen.json'), '--out', folder, '--epochs', String(epochs)],
  ...args,
]
const resumed = (folder: string, epochs: number) => eigenae(argsFor(folder, epochs, '--resume'))

/** Returns a copy of the complete run of two epochs. */
function shortRun(name: string): string {
  cpSync(scratch('two'), scratch(name), { recursive: true })
  return scratch(name)
}

async function expectFiveEpochs(folder: string): Promise<void> {
  expect((await eigenae(['verify', folder])).stdout).toContain('ok')
  await expectSameRuns(['.'], folder, scratch('five'))
}

beforeAll(async () => {
  tinyConfigs(scratch(), 2)
  for (const [name, epochs] of [
    ['two', 2],
    ['five', 5],
  ] as const)
    expect((await eigenae(argsFor(scratch(name), epochs))).code).toBe(0)
})

describe('a run that is resumed with more epochs', () => {
  it('continues after its last epoch and ends with the same bytes as one that had them at once', async () => {
    const run = shortRun('complete')
    const { code, stderr } = await resumed(run, 5)
    expect([code, stderr]).toEqual([0, expect.stringContaining('lengthening the run from 2 to 5 epochs')])
    expect(stderr).toContain('resuming after epoch 2')
    expect(stderr).not.toContain('warning')
    await expectFiveEpochs(run)
    expect(readJson(join(run, 'run.json'))).toMatchObject({
      status: 'completed',
      epochs: 5,
      shorterConfigs: [{ epochs: 2 }],
    })
  })

  it('does so after it was interrupted', async () => {
    const run = scratch('interrupted')
    expect((await endedAt(1, 'SIGINT', argsFor(run, 4))).code).toBe(130)
    expect((await resumed(run, 5)).stderr).toMatch(/resuming after epoch [12]\n/)
    await expectFiveEpochs(run)
  })

  it('is an interrupted run until it has them, even if it is killed before its first new epoch', async () => {
    const run = shortRun('killed')
    await endedAt(3, 'SIGKILL', argsFor(run, 4, '--resume'))
    const { status, damage, metrics } = await readRun(run)
    expect([status, damage, metrics.length]).toEqual(['interrupted', [], 2])
    const { code, stderr } = await resumed(run, 5)
    expect([code, stderr]).toEqual([0, expect.stringContaining('resuming after epoch 2')])
    await expectFiveEpochs(run)
    expect(readJson(join(run, 'run.json')).shorterConfigs).toMatchObject([{ epochs: 2 }, { epochs: 4 }])
  })

  it('is neither damaged nor started again if it is killed between the replacements of its files', async () => {
    const config = await loadConfig(scratch('eigen.json'), [
      { path: ['train', 'epochs'], value: 5, flag: '' },
    ])
    for (const [name, old] of [
      ['old-config', ['config.json', 'model.safetensors', 'evaluation.json']],
      ['old-results', ['model.safetensors', 'evaluation.json']],
    ] as const) {
      const run = shortRun(name)
      const files = runFiles(run)
      const { record } = readRecord(files.record)
      await claimRunFolder(run, config, 'resume', lengthenedRecord(record, config))
      await releaseLock(files.lock)
      for (const file of old) cpSync(join(scratch('two'), file), join(run, file))
      const { status, damage } = await readRun(run)
      expect([status, damage]).toEqual(['interrupted', []])
      expect((await resumed(run, 5)).stderr).toMatch(/resuming after epoch 2/)
      await expectFiveEpochs(run)
    }
  })

  it('is trained from the beginning, with a warning, if its checkpoint is missing', async () => {
    const run = shortRun('no-checkpoint')
    rmSync(join(run, 'checkpoint'), { recursive: true })
    const { stderr } = await resumed(run, 5)
    expect(stderr).toContain('checkpoint/state.safetensors is missing; training again from the beginning')
    await expectFiveEpochs(run)
  })

  it('is refused, and stays complete, if another field differs too or there are fewer epochs', async () => {
    const run = shortRun('refused')
    const other = await eigenae(argsFor(run, 5, '--resume', '--set', 'loss.eigen.weight=2'))
    expect(other.code).toBe(2)
    expect(other.stderr).toContain('loss.eigen.weight: 1 in the folder, 2 now')
    const fewer = await resumed(run, 1)
    expect([fewer.code, fewer.stderr]).toEqual([
      2,
      expect.stringContaining('train.epochs: 2 in the folder, 1 now'),
    ])
    expect((await readRun(run)).status).toBe('completed')
  })
})

describe('a sweep that is resumed with more epochs in its configs', () => {
  it('lengthens its runs and gives the same bytes as a sweep that had them at once', async () => {
    const sweepFile = (epochs: number) => {
      tinyConfigs(scratch('sweep'), epochs)
      const variants = { none: 'none.json', eigen: 'eigen.json' }
      return writeJson(scratch('sweep/sweep.json'), { name: 'swept', variants, seeds: '0-1' })
    }
    const sweep = (config: string, out: string, ...args: readonly string[]) =>
      eigenae(['sweep', '--config', config, '--out', scratch(out), ...args])
    expect((await sweep(sweepFile(1), 'swept')).code).toBe(0)
    cpSync(scratch('swept'), scratch('half-way'), { recursive: true })
    const longer = sweepFile(3)
    const { code, stderr } = await sweep(longer, 'swept', '--resume')
    expect([code, stderr]).toEqual([0, expect.stringContaining('4 runs are lengthened')])
    expect((await sweep(longer, 'at-once')).code).toBe(0)
    const runs = ['none', 'eigen'].flatMap((arm) => [`${arm}/seed-0`, `${arm}/seed-1`])
    await expectSameRuns(runs, scratch('swept'), scratch('at-once'))
    expect((await eigenae(['verify', scratch('swept')])).code).toBe(0)
    // The runs of a plan with more epochs, before they are lengthened.
    copyFileSync(scratch('swept/sweep.json'), scratch('half-way/sweep.json'))
    expect((await eigenae(['verify', scratch('half-way')])).code).toBe(0)
  })
})
