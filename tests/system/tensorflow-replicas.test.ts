import { describe, expect, it } from 'vitest'
import type { Engine, ReplicaTrainer, TrainerSpec } from '../../src/engines/engine.js'
import { images, never, smallSpec, withTrainer } from '../support/engines.js'
import { whereTensorflowIs } from '../support/tensorflow-engine.js'

const quiet = () => {}
/** Three whole batches. */
const digits = images(96)
const seeds = [7, 8, 1234567890]

function withSeed(seed: number, changes: Partial<TrainerSpec> = {}): TrainerSpec {
  return { ...smallSpec, ...changes, seed }
}

async function withReplicas<T>(
  engine: Engine,
  specs: readonly TrainerSpec[],
  use: (trainer: ReplicaTrainer) => Promise<T>,
): Promise<T> {
  const trainer = await engine.createReplicas!(specs, digits)
  try {
    return await use(trainer)
  } finally {
    await trainer.dispose()
  }
}

async function trainAlone(engine: Engine, spec: TrainerSpec) {
  return withTrainer(engine, spec, digits, async (trainer) => ({
    losses: [await trainer.trainEpoch(1, quiet, never), await trainer.trainEpoch(2, quiet, never)],
    state: await trainer.exportState(),
    embedding: await trainer.encode(digits),
    error: await trainer.meanSquaredError(digits, { seed: 0, deviation: 0.2 }),
  }))
}

async function trainTogether(engine: Engine, specs: readonly TrainerSpec[]) {
  return withReplicas(engine, specs, async (trainer) => {
    const epochs = [await trainer.trainEpoch(1, quiet, never), await trainer.trainEpoch(2, quiet, never)]
    return Promise.all(
      trainer.replicas.map(async (replica, index) => ({
        losses: epochs.map((losses) => losses[index]),
        state: await replica.exportState(),
        embedding: await replica.encode(digits),
        error: await replica.meanSquaredError(digits, { seed: 0, deviation: 0.2 }),
      })),
    )
  })
}

/** Largest difference, as a share of the largest value. */
function difference(some: Float32Array, others: Float32Array): number {
  const largest = others.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return some.reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0) / largest
}

whereTensorflowIs((engine) => {
  describe('seeds trained side by side', () => {
    // Not to the bit: TensorFlow multiplies several small matrices by another kernel than one, and
    // training enlarges what that changes.
    it.each(['none', 'all'] as const)('give what each gives alone, batch norm %s', async (batchNorm) => {
      const changes = { architecture: { ...smallSpec.architecture, batchNorm } }
      const specs = seeds.map((seed) => withSeed(seed, changes))
      const together = await trainTogether(engine, specs)
      for (const [index, spec] of specs.entries()) {
        const alone = await trainAlone(engine, spec)
        const { losses, embedding, error } = together[index]!
        expect(losses[0]!.loss).toBeCloseTo(alone.losses[0]!.loss, 5)
        expect(losses[1]!.loss).toBeCloseTo(alone.losses[1]!.loss, 3)
        expect(error).toBeCloseTo(alone.error, 4)
        expect(difference(embedding, alone.embedding)).toBeLessThan(2e-3)
      }
    })

    it('give the same bits again, and go on from their states', async () => {
      const specs = seeds.map((seed) => withSeed(seed))
      const whole = await trainTogether(engine, specs)
      const middle = await withReplicas(engine, specs, async (trainer) => {
        await trainer.trainEpoch(1, quiet, never)
        return Promise.all(trainer.replicas.map((replica) => replica.exportState()))
      })
      const resumed = await withReplicas(engine, specs, async (trainer) => {
        await Promise.all(trainer.replicas.map((replica, index) => replica.importState(middle[index]!)))
        await trainer.trainEpoch(2, quiet, never)
        return Promise.all(trainer.replicas.map((replica) => replica.exportState()))
      })
      for (const [index, { state }] of whole.entries()) {
        expect(difference(resumed[index]!.parameters, state.parameters)).toBe(0)
        expect(difference(resumed[index]!.secondMoments, state.secondMoments)).toBe(0)
      }
    })

    it('are refused where their specs differ in more than the seed', async () => {
      const specs = [withSeed(1), withSeed(2, { batchSize: 16 })]
      await expect(engine.createReplicas!(specs, digits)).rejects.toThrow('differ in more than their seeds')
    })
  })
})
