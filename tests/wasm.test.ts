import { describe, expect, it } from 'vitest'
import { wasmEngine } from '../src/engines/wasm/engine.js'
import { never, smallSpec, withTrainer } from './support/engines.js'

const engine = await wasmEngine()
const none = new Uint8Array(0)

describe('engine wasm', () => {
  it.each([
    { widths: [784, 20_000, 20_000], batchSize: 32 },
    { widths: [784, 4_096, 5], batchSize: 65_536 },
  ])('rejects $widths with batches of $batchSize, which need more than its memory', async (sizes) => {
    const spec = { ...smallSpec, widths: sizes.widths, batchSize: sizes.batchSize }
    await expect(engine.createTrainer(spec, none)).rejects.toThrow(/needs .* GB, and WebAssembly has 4/)
  })

  it('rejects a second call during the first, and the first when it is disposed of', async () => {
    const images = new Uint8Array(20_000 * 784)
    await withTrainer(engine, { ...smallSpec, batchSize: 8 }, images, async (trainer) => {
      const epoch = trainer.trainEpoch(1, () => {}, never)
      const stopped = expect(epoch).rejects.toThrow('disposed')
      await expect(trainer.encode(images.subarray(0, 784))).rejects.toThrow('still at work')
      await trainer.dispose()
      await stopped
      await expect(trainer.exportState()).rejects.toThrow('disposed')
    })
  })
})
