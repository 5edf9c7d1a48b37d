import { expect, it, vi } from 'vitest'
import { images, never, smallSpec, withTrainer } from './support/engines.js'

/** A worker reads it before the shared memory, so that the memory can grow in the meantime. About half a second. */
const ballast = Array.from({ length: 300_000 }, (_, i) => ({ i }))

/** Loads the engine with workers that start slowly. Other files of this process may have loaded it with ordinary ones. */
async function engineWithSlowWorkers(started: () => void) {
  vi.resetModules()
  vi.doMock('node:worker_threads', async (importOriginal) => {
    const original = await importOriginal<typeof import('node:worker_threads')>()
    class SlowlyStartedWorker extends original.Worker {
      constructor(file: string, options: import('node:worker_threads').WorkerOptions) {
        super(file, { ...options, workerData: { ballast, ...options.workerData } })
        started()
      }
    }
    return { ...original, Worker: SlowlyStartedWorker }
  })
  const { wasmEngine } = await import('../src/engines/wasm/engine.js')
  vi.doUnmock('node:worker_threads')
  vi.resetModules()
  return wasmEngine()
}

it('trains when its memory has grown while its threads were starting', async () => {
  const started = vi.fn()
  const engine = await engineWithSlowWorkers(started)
  const spec = { ...smallSpec, widths: [784, 1024, 5], threads: 2 }
  const data = images(64)
  await withTrainer(engine, spec, data, async (trainer) => {
    // Both threads should be reading the ballast now. At another moment the test would miss the bug, but never fail.
    await new Promise((resolve) => setTimeout(resolve, 250))
    await trainer.importState(await trainer.exportState()) // grows the memory and leaves the new part free
    await trainer.trainEpoch(1, () => {}, never)
    expect(await trainer.meanSquaredError(data, null)).toBeGreaterThan(0)
    expect(started).toHaveBeenCalled()
  })
})
