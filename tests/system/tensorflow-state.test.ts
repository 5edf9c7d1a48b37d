import { describe, expect, it } from 'vitest'
import type { Engine, Trainer, TrainerSpec } from '../../src/engines/engine.js'
import { nativeEngine } from '../../src/engines/native/engine.js'
import { layoutOf } from '../../src/model/layout.js'
import { initialState, type TrainerState } from '../../src/model/state.js'
import { images, never, smallSpec, withTrainer } from '../support/engines.js'
import { formulaOfKind } from '../support/formulas.js'
import { describeWithTensorflow } from '../support/tensorflow-engine.js'

const quiet = () => {}
const digits = images(96)
const clean = Float32Array.from(digits.subarray(0, 32 * 784), (byte) => byte / 255)
const native = nativeEngine()

function difference(some: Float32Array, others: Float32Array): number {
  const largest = others.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return some.reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0) / largest
}

/** Takes one step on a fixed batch from a given state. Returns its losses and the state after it. */
function stepFrom(engine: Engine, state: TrainerState, spec: TrainerSpec = smallSpec) {
  return withTrainer(engine, spec, digits, async (trainer) => {
    await trainer.importState(state)
    const losses = await trainer.trainBatch(clean, clean)
    return { losses, state: await trainer.exportState() }
  })
}

/** Returns initial parameters with each dimension of the embedding multiplied by its factor. */
function withScaledEmbedding(factors: readonly number[]): TrainerState {
  const state = initialState(smallSpec, 1)
  const { parameters } = layoutOf(smallSpec)
  for (const { name, offset, size } of parameters.filter((each) => each.name.startsWith('encoder.2.'))) {
    const perUnit = name.endsWith('weight') ? size / factors.length : 1
    for (let i = 0; i < size; i++) state.parameters[offset + i]! *= factors[Math.floor(i / perUnit)]!
  }
  return state
}

const kinds = [
  'top-k',
  'log-max',
  'entropy',
  'log-det',
  'kl-normal',
  'kl-diagonal',
  'variance',
  'covariance',
  'decorrelation',
] as const

const allKinds: TrainerSpec = {
  ...smallSpec,
  eigenLosses: kinds.map((kind) => ({
    ...smallSpec.eigenLosses[0]!,
    formula: formulaOfKind(kind, { k: 2, epsilon: 0.01 }),
  })),
}

/** Returns initial parameters with the first dimension of the embedding, times a factor, in place of all. */
function withEqualDimensions(factor: number): TrainerState {
  const state = initialState(smallSpec, 1)
  const { parameters } = layoutOf(smallSpec)
  for (const { offset, size } of parameters.filter(({ name }) => name.startsWith('encoder.2.'))) {
    const perUnit = size / 5
    const first = state.parameters.slice(offset, offset + perUnit)
    for (let i = 0; i < size; i++) state.parameters[offset + i] = factor * first[i % perUnit]!
  }
  return state
}

describeWithTensorflow((engine) => {
  describe('a state from the native engine', () => {
    it.each(['none', 'encoder', 'all'] as const)(
      'continues in TensorFlow and back, batch norm %s',
      async (batchNorm) => {
        const spec = { ...smallSpec, batchNorm }
        const trainOn = (on: Engine, epoch: number, from: TrainerState | null) =>
          withTrainer(on, spec, digits, async (trainer: Trainer) => {
            if (from !== null) await trainer.importState(from)
            const { mse } = await trainer.trainEpoch(epoch, quiet, never)
            return { mse, state: await trainer.exportState(), embedding: await trainer.encode(digits) }
          })
        const first = await trainOn(native, 1, null)
        const second = await trainOn(engine, 2, first.state)
        const third = await trainOn(native, 3, second.state)
        expect([first.state.step, second.state.step, third.state.step]).toEqual([3, 6, 9])
        expect(second.mse).toBeLessThan(first.mse)
        expect(third.mse).toBeLessThan(second.mse)
        const [again, there] = await Promise.all(
          [native, engine].map((on) =>
            withTrainer(on, spec, digits, async (trainer) => {
              await trainer.importState(second.state)
              const { embedding, linearOutputs } = await trainer.inspect(digits, 96, false)
              return [embedding, ...linearOutputs]
            }),
          ),
        )
        expect(there!.length).toBe(again!.length)
        for (const [index, values] of again!.entries())
          expect(difference(there![index]!, values)).toBeLessThan(1e-5)
      },
    )
  })

  describe('the eigen loss in TensorFlow', () => {
    it.each([
      ['of the same size', [1, 1, 1, 1, 1]],
      ['that differ by up to a million', [1, 1e-2, 1e-4, 1e-5, 1e-6]],
    ])("has the native engine's gradient with singular values %s", async (_, factors) => {
      const state = withScaledEmbedding(factors)
      const here = await stepFrom(engine, state)
      const there = await stepFrom(native, state)
      expect(here.losses.terms[0]!.value).toBeCloseTo(there.losses.terms[0]!.value, 6)
      expect(difference(here.state.firstMoments, there.state.firstMoments)).toBeLessThan(2e-4)
    })

    it('contributes nothing to dimensions of the embedding that are always 0', async () => {
      for (const factors of [
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0],
      ]) {
        const state = withScaledEmbedding(factors)
        const here = await stepFrom(engine, state)
        const there = await stepFrom(native, state)
        expect(here.losses.terms[0]!.value).toBeCloseTo(there.losses.terms[0]!.value, 6)
        expect(here.state.parameters.every(Number.isFinite)).toBe(true)
        expect(difference(here.state.firstMoments, there.state.firstMoments)).toBeLessThan(2e-4)
      }
    })

    it('is NaN if the embedding is not finite, without an error', async () => {
      const state = initialState(smallSpec, 1)
      state.parameters[0] = Number.POSITIVE_INFINITY
      const { losses } = await stepFrom(engine, state, allKinds)
      expect(losses.terms.map(({ value }) => value)).toEqual(kinds.map(() => Number.NaN))
      expect(losses.loss).toBeNaN()
    })

    it('is finite with its gradient if all dimensions are the same, however large', async () => {
      await withTrainer(engine, allKinds, digits, async (trainer) => {
        for (const factor of [1e-8, 1, 1e8]) {
          await trainer.importState(withEqualDimensions(factor))
          const { terms } = await trainer.trainBatch(clean, clean)
          expect(terms.map(({ value }) => Number.isNaN(value))).toEqual(kinds.map(() => false))
          expect((await trainer.exportState()).parameters.every(Number.isFinite)).toBe(true)
        }
      })
    })
  })
})
