// Trains a few steps of each arm with the CUDA core and compares the bytes of its losses and its state with those of
// bytes.json. Every float operation of the kernels is rounded exactly, so a card must give the bytes of the emulation, with
// which `--write` makes the file: EIGENAE_LIBCUDA names the stand-in for libcuda.so.1.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openCore } from './core.mjs'
import { arms, digits } from './job.mjs'

const { values: options } = parseArgs({ options: { write: { type: 'boolean', default: false } } })
const file = join(import.meta.dirname, 'bytes.json')
const steps = 6
/** The arrays of a state, in the order in which they are hashed. */
const hashed = [
  ...['parameters', 'firstMoments', 'secondMoments', 'runningStatistics'],
  ...['averagedParameters', 'averagedStatistics'],
]
const never = new AbortController().signal

const found = {}
for (const [name, spec] of Object.entries(arms)) found[name] = await hashOf(spec)

if (options.write) {
  writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`)
} else {
  const expected = JSON.parse(readFileSync(file, 'utf8'))
  for (const [name, hash] of Object.entries(found)) {
    const same = hash === expected[name]
    console.log(`${name.padEnd(12)} ${same ? 'the same bytes as the emulation' : `other bytes: ${hash}`}`)
    if (!same) process.exitCode = 1
  }
}

/** Trains two epochs, so that a launch continues what another one has left. */
async function hashOf(spec) {
  const engine = await openCore(spec)
  const trainer = await engine.createTrainer(spec, digits((steps / 2) * spec.batchSize))
  const hash = createHash('sha256')
  for (const epoch of [1, 2]) hash.update(JSON.stringify(await trainer.trainEpoch(epoch, () => {}, never)))
  const state = await trainer.exportState()
  for (const name of hashed) hash.update(state[name])
  await trainer.dispose()
  return hash.digest('hex')
}
