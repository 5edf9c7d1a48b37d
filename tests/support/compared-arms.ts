import { eigenae, start, trainArgs } from './cli.js'
import { dataFolder } from './idx.js'
import { writeRun } from './run-folder.js'

type Scratch = (...names: readonly string[]) => string

/** Trains the arms runs/baseline and runs/eigen with two seeds each, and kills a third run of runs/eigen. */
export async function trainArms(scratch: Scratch): Promise<void> {
  const source = `data.source=${dataFolder(scratch('data'))}`
  for (const config of ['baseline', 'eigen']) {
    for (const seed of [0, 1]) {
      const folder = scratch('runs', config, `seed-${seed}`)
      await eigenae([...trainArgs(`${config}.json`, folder, source, 'train.epochs=2'), '--seed', `${seed}`])
    }
  }
  const killed = scratch('runs', 'eigen', 'seed-2')
  const running = start(trainArgs('eigen.json', killed, 'data.limit=3000', 'train.epochs=1000000'))
  await running.untilPrinted('epoch       1/1000000')
  running.process.kill('SIGKILL')
  await running.finished
}

const testMse = { none: [0.0265, 0.0268, 0.0271], eigen: [0.0312, 0.0293, 0.0301] }

/** Writes the arms arms/none, arms/eigen (with a failed run) and arms/norm (with one run of another seed). */
export function writeArms(scratch: Scratch): void {
  const eigen = { kind: 'top-k', k: 2, weight: 1, center: false }
  for (const seed of [0, 1, 2]) {
    writeRun(scratch('arms', 'none', `seed-${seed}`), { seed, testMse: testMse.none[seed]! })
    writeRun(scratch('arms', 'eigen', `seed-${seed}`), { seed, testMse: testMse.eigen[seed]!, eigen })
  }
  writeRun(scratch('arms', 'eigen', 'seed-3'), { seed: 3, status: 'failed', eigen })
  writeRun(scratch('arms', 'norm', 'seed-7'), { seed: 7, testMse: 0.0171, batchNorm: 'all' })
}

/** The arms that `writeArms` writes. */
export const threeArms = ['arms/none', 'arms/eigen', 'arms/norm'] as const
