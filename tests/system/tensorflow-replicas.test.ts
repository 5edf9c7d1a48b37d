import { describe, expect, it } from 'vitest'
import type { EigenLossSpec, Engine, ReplicaTrainer, TrainerSpec } from '../../src/engines/engine.js'
import type { TrainerState } from '../../src/model/state.js'
import { averaged, images, never, smallSpec, withTrainer } from '../support/engines.js'
import { formulaOfKind } from '../support/formulas.js'
import { describeWithTensorflow } from '../support/tensorflow-engine.js'

const quiet = () => {}
const threeBatches = images(96)
const oneBatch = threeBatches.subarray(0, 32 * 784)
const seeds = [7, 8, 1234567890]

function withSeed(seed: number, changes: Partial<TrainerSpec> = {}): TrainerSpec {
  return { ...smallSpec, ...changes, seed }
}

/** An eigen loss of each sort of formula. */
const onAllLayers = (['entropy', 'kl-normal', 'kl-diagonal'] as const).map(
  (kind): EigenLossSpec => ({
    formula: formulaOfKind(kind, { epsilon: 0.01 }),
    weight: 0.1,
    layers: [0, 1, 2, 3, 4],
    minimumImages: 25,
  }),
)

async function withReplicas<T>(
  engine: Engine,
  specs: readonly TrainerSpec[],
  digits: Uint8Array,
  use: (trainer: ReplicaTrainer) => Promise<T>,
): Promise<T> {
  const trainer = await engine.createReplicas!(specs, digits)
  try {
    return await use(trainer)
  } finally {
    await trainer.dispose()
  }
}

/**
 * Returns the error of the initial parameters, and the state after one step. The error after the step is not comparable:
 * Adam's first step is as long for a gradient of rounding as for any other, and the sign of rounding depends on the kernel.
 */
async function stepAlone(engine: Engine, spec: TrainerSpec) {
  return withTrainer(engine, spec, oneBatch, async (trainer) => ({
    error: await trainer.meanSquaredError(oneBatch, { seed: 0, deviation: 0.2 }),
    losses: await trainer.trainEpoch(1, quiet, never),
    state: await trainer.exportState(),
  }))
}

async function stepTogether(engine: Engine, specs: readonly TrainerSpec[]) {
  return withReplicas(engine, specs, oneBatch, async (trainer) => {
    const errors = await Promise.all(
      trainer.replicas.map((replica) => replica.meanSquaredError(oneBatch, { seed: 0, deviation: 0.2 })),
    )
    const losses = await trainer.trainEpoch(1, quiet, never)
    return Promise.all(
      trainer.replicas.map(async (replica, index) => ({
        error: errors[index]!,
        losses: losses[index]!,
        state: await replica.exportState(),
      })),
    )
  })
}

/** Returns the states after the epochs, starting from the given states or the seeds' own. */
async function statesAfter(
  engine: Engine,
  specs: readonly TrainerSpec[],
  epochs: readonly number[],
  from: readonly TrainerState[] = [],
) {
  return withReplicas(engine, specs, threeBatches, async (trainer) => {
    await Promise.all(from.map((state, index) => trainer.replicas[index]!.importState(state)))
    for (const epoch of epochs) await trainer.trainEpoch(epoch, quiet, never)
    return Promise.all(trainer.replicas.map((replica) => replica.exportState()))
  })
}

/** Returns the largest difference as a share of the largest value. */
function difference(some: Float32Array, others: Float32Array): number {
  const largest = others.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const apart = some.reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0)
  return apart === 0 ? 0 : apart / largest
}

/** Returns the parameters whose gradient in the other state is more than rounding. */
function withGradient({ parameters }: TrainerState, { firstMoments }: TrainerState): Float32Array {
  const largest = firstMoments.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return parameters.filter((_, i) => Math.abs(firstMoments[i]!) > 1e-3 * largest)
}

describeWithTensorflow((engine) => {
  describe('seeds trained side by side', () => {
    // Not to the bit, because TensorFlow multiplies a stack of small matrices by another kernel than a single one.
    it.each([
      ['', {}],
      [' with batch norm', { batchNorm: 'all' }],
      [
        ' with eigen losses on all layers and averages',
        { optimizer: averaged(0.9), eigenLosses: onAllLayers },
      ],
    ] as const)('take the same step as each alone%s', async (_, changes) => {
      const specs = seeds.map((seed) => withSeed(seed, changes))
      const together = await stepTogether(engine, specs)
      for (const [index, spec] of specs.entries()) {
        const alone = await stepAlone(engine, spec)
        const { error, losses, state } = together[index]!
        expect(error).toBeCloseTo(alone.error, 6)
        expect(losses.loss).toBeCloseTo(alone.losses.loss, 6)
        expect(difference(state.firstMoments, alone.state.firstMoments)).toBeLessThan(1e-5)
        expect(difference(state.secondMoments, alone.state.secondMoments)).toBeLessThan(1e-5)
        expect(difference(state.runningStatistics, alone.state.runningStatistics)).toBeLessThan(1e-5)
        const [some, others] = [state, alone.state].map((each) => withGradient(each, alone.state))
        expect(difference(some!, others!)).toBeLessThan(1e-5)
      }
    })

    it('are deterministic to the bit, and continue from their states', async () => {
      const specs = seeds.map((seed) => withSeed(seed))
      const whole = await statesAfter(engine, specs, [1, 2])
      const resumed = await statesAfter(engine, specs, [2], await statesAfter(engine, specs, [1]))
      for (const [index, state] of whole.entries()) {
        expect(difference(resumed[index]!.parameters, state.parameters)).toBe(0)
        expect(difference(resumed[index]!.secondMoments, state.secondMoments)).toBe(0)
      }
    })

    it('are refused if their specs differ in more than the seed', async () => {
      const specs = [withSeed(1), withSeed(2, { batchSize: 16 })]
      await expect(engine.createReplicas!(specs, oneBatch)).rejects.toThrow('differ in more than their seeds')
    })
  })
})
