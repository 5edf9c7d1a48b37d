import { describe, expect, it } from 'vitest'
import type {
  AdamSpec,
  EigenLossSpec,
  Engine,
  Losses,
  SgdSpec,
  Trainer,
  TrainerSpec,
} from '../../src/engines/engine.js'
import { layoutOf } from '../../src/model/layout.js'
import type { TrainerState } from '../../src/model/state.js'
import { adam, averaged, images, never, smallSpec, withTrainer } from './engines.js'
import { formulaOfKind } from './formulas.js'

const quiet = () => {}
const batchCount = 4
/** The last batch of an epoch has 4 images. */
const digits = images(3 * smallSpec.batchSize + 4)
const clean = Float32Array.from(digits.subarray(0, smallSpec.batchSize * 784), (byte) => byte / 255)

const sgd: SgdSpec = {
  kind: 'sgd',
  learningRate: 0.05,
  warmup: 0,
  momentum: 0,
  nesterov: false,
  averaging: null,
}
/** Adam would scale the rounding up by which two computations of a gradient of 0 differ. */
const large: SgdSpec = { ...sgd, learningRate: 0.5 }
const topK = smallSpec.eigenLosses[0]!
const entropy: EigenLossSpec = { ...topK, formula: formulaOfKind('entropy') }
/** Positions of hidden layers that are narrow enough for every batch but the last. */
const [hidden, latent] = [1, 2]

interface Epoch {
  readonly losses: Losses
  readonly state: TrainerState
}

/** Trains an epoch, from the seed's initial state unless another is given. */
function epochOf(
  engine: Engine,
  changes: Partial<TrainerSpec>,
  epoch = 1,
  from: TrainerState | null = null,
): Promise<Epoch> {
  return withTrainer(engine, { ...smallSpec, ...changes }, digits, async (trainer) => {
    if (from !== null) await trainer.importState(from)
    const losses = await trainer.trainEpoch(epoch, quiet, never)
    return { losses, state: await trainer.exportState() }
  })
}

/** Returns the states before and after each of some steps on the same batch. */
async function statesOf(trainer: Trainer, steps: number): Promise<readonly TrainerState[]> {
  const states = [await trainer.exportState()]
  for (let step = 0; step < steps; step++) {
    await trainer.trainBatch(clean, clean)
    states.push(await trainer.exportState())
  }
  return states
}

function stepsOf(engine: Engine, changes: Partial<TrainerSpec>, steps: number) {
  return withTrainer(engine, { ...smallSpec, ...changes }, digits, (trainer) => statesOf(trainer, steps))
}

export function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length)
  const differences = Array.from(expected, (value, i) => Math.abs(value - actual[i]!))
  expect(differences.reduce((most, each) => Math.max(most, each), 0)).toBeLessThan(tolerance)
}

function difference(some: Float32Array, others: Float32Array): Float64Array {
  return Float64Array.from(some, (value, i) => value - others[i]!)
}

/** The part of the suite of all engines about losses by layer and step, optimisers and averages. */
export function describeTraining(engine: Engine, fits: (spec: TrainerSpec) => boolean): void {
  const onHidden = fits({ ...smallSpec, eigenLosses: [{ ...topK, layers: [hidden] }] })
  const anyLayer = onHidden ? hidden : latent
  describe(`training by engine ${engine.name}`, () => {
    it('continues from an exported state bit for bit with averages, schedules, momentum and batch norm', async () => {
      const changes: Partial<TrainerSpec> = {
        batchNorm: ['encoder.0', 'latent'],
        optimizer: {
          ...sgd,
          averaging: { kind: 'ema', decay: 0.9 },
          learningRate: { from: 0.1, to: 0.01, shape: 'cosine', steps: 7 },
          warmup: 6,
          momentum: 0.9,
          nesterov: true,
        },
        eigenLosses: [
          { ...topK, weight: { from: 1, to: 0, shape: 'linear', steps: 6 } },
          {
            ...entropy,
            weight: { from: 0, to: 0.5, shape: 'step', steps: 5 },
            layers: [...new Set([anyLayer, latent])],
          },
        ],
      }
      const whole = await withTrainer(engine, { ...smallSpec, ...changes }, digits, async (trainer) => {
        await trainer.trainEpoch(1, quiet, never)
        const losses = await trainer.trainEpoch(2, quiet, never)
        return { losses, state: await trainer.exportState() }
      })
      const first = await epochOf(engine, changes)
      expect(first.state.averagedParameters).not.toEqual(first.state.parameters)
      expect(await epochOf(engine, changes, 2, first.state)).toEqual(whole)
    })

    it.each([
      ['always', 0],
      ['at the steps of this epoch', { from: 0, to: 1, shape: 'step', steps: batchCount } as const],
    ])('an eigen loss whose weight is 0 %s changes no byte', async (_, weight) => {
      const without = await epochOf(engine, { eigenLosses: [entropy] })
      const eigenLosses = [{ ...topK, weight, layers: [anyLayer] }, entropy]
      const { losses, state } = await epochOf(engine, { eigenLosses })
      expect(state).toEqual(without.state)
      expect(losses).toEqual({
        ...without.losses,
        terms: [{ value: Number.NaN, weighted: 0 }, ...without.losses.terms],
      })
    })

    it('an eigen loss that is constant is added to the loss, and trains nothing', async () => {
      const whole = { ...topK, formula: formulaOfKind('top-k', { k: 5 }) }
      const { losses, state } = await epochOf(engine, { eigenLosses: [whole] })
      const without = await epochOf(engine, { eigenLosses: [] })
      expect(losses.terms).toEqual([{ value: 1, weighted: 1 }])
      expect(state.parameters).toEqual(without.state.parameters)
    })

    it('an eigen loss whose weight becomes 0 within an epoch is left out from that step on', async () => {
      const weight = { from: 1, to: 0, shape: 'step', steps: 2 } as const
      const { losses, state } = await epochOf(engine, { eigenLosses: [{ ...topK, weight }] })
      const constant = await epochOf(engine, { eigenLosses: [topK] })
      expect(state.parameters).not.toEqual(constant.state.parameters)
      // The weight is 1 where the loss is computed, so both means are over the same batches.
      expect(losses.terms[0]!.weighted).toBeCloseTo(losses.terms[0]!.value, 12)
      const share = (2 * smallSpec.batchSize) / (digits.length / 784)
      expect(losses.loss).toBeCloseTo(losses.mse + share * losses.terms[0]!.value, 6)
    })

    it('trains the same epoch again from the same state, although weights became 0 in it', async () => {
      const weight = { from: 1, to: 0, shape: 'step', steps: 2 } as const
      const spec = { ...smallSpec, eigenLosses: [{ ...topK, weight }] }
      await withTrainer(engine, spec, digits, async (trainer) => {
        const start = await trainer.exportState()
        const train = async () => {
          await trainer.importState(start)
          return { losses: await trainer.trainEpoch(1, quiet, never), state: await trainer.exportState() }
        }
        const first = await train()
        expect(await train()).toEqual(first)
      })
    })

    it('two equal eigen losses at half the weight are one', async () => {
      const half = { ...topK, weight: 0.5 }
      const one = await epochOf(engine, { optimizer: large, eigenLosses: [topK] })
      const two = await epochOf(engine, { optimizer: large, eigenLosses: [half, half] })
      expect(two.losses.loss).toBeCloseTo(one.losses.loss, 5)
      const { value } = one.losses.terms[0]!
      for (const term of two.losses.terms) {
        expect(term.value).toBeCloseTo(value, 5)
        expect(term.weighted).toBeCloseTo(value / 2, 5)
      }
      expectNear(two.state.parameters, one.state.parameters, 1e-5)
    })

    it.skipIf(!onHidden)('an eigen loss on two layers is the mean of two on one layer each', async () => {
      const together = await epochOf(engine, {
        optimizer: large,
        eigenLosses: [{ ...entropy, layers: [hidden, latent] }],
      })
      const apart = await epochOf(engine, {
        optimizer: large,
        eigenLosses: [hidden, latent].map((layer) => ({ ...entropy, weight: 0.5, layers: [layer] })),
      })
      const [first, second] = apart.losses.terms
      expect(together.losses.terms[0]!.value).toBeCloseTo((first!.value + second!.value) / 2, 5)
      expect(together.losses.loss).toBeCloseTo(apart.losses.loss, 5)
      expectNear(together.state.parameters, apart.state.parameters, 1e-5)
    })

    it('each eigen loss needs its own number of images', async () => {
      const eigenLosses = [
        { ...entropy, minimumImages: smallSpec.batchSize + 1 },
        { ...topK, minimumImages: 6 },
      ]
      const { losses, state } = await epochOf(engine, { eigenLosses })
      const alone = await epochOf(engine, { eigenLosses: [topK] })
      expect(losses.terms).toEqual([{ value: Number.NaN, weighted: 0 }, ...alone.losses.terms])
      expect(state).toEqual(alone.state)
    })

    it('multiplies the gradient by the scheduled learning rate, which rises in the warmup', async () => {
      const learningRate = { from: 0.4, to: 0.1, shape: 'linear', steps: 3 } as const
      const optimizer = { ...sgd, learningRate, warmup: 2 }
      const states = await stepsOf(engine, { optimizer }, 5)
      const rates = [0.2, 0.3, 0.2, 0.1, 0.1]
      for (const [step, rate] of rates.entries()) {
        const [before, after] = [states[step]!, states[step + 1]!]
        const moved = after.firstMoments.map((gradient) => -rate * gradient)
        expectNear(difference(after.parameters, before.parameters), moved, 1e-6)
      }
    })

    it.each([
      ['momentum', false],
      ["Nesterov's momentum", true],
    ])('SGD adds %s', async (_, nesterov) => {
      const [plain, momentum] = await Promise.all([
        stepsOf(engine, { optimizer: sgd }, 1),
        stepsOf(engine, { optimizer: { ...sgd, momentum: 0.5, nesterov } }, 1),
      ])
      const gradient = plain[1]!.firstMoments
      expect(momentum[1]!.firstMoments).toEqual(gradient)
      const factor = nesterov ? 1.5 : 1
      const moved = gradient.map((value) => -0.05 * factor * value)
      expectNear(difference(momentum[1]!.parameters, momentum[0]!.parameters), moved, 1e-6)
      expect(momentum[1]!.secondMoments.every((value) => value === 0)).toBe(true)
    })

    it('AdamW shrinks the weights, not the biases and the parameters of batch norm', async () => {
      const decaying: AdamSpec = { ...adam, kind: 'adamw', learningRate: 0.1, weightDecay: 0.5 }
      const changes: Partial<TrainerSpec> = { batchNorm: 'all' }
      const [without, decayed] = await Promise.all(
        [{ ...decaying, weightDecay: 0 }, decaying].map((optimizer) =>
          stepsOf(engine, { ...changes, optimizer }, 1),
        ),
      )
      const [start] = without!
      const shrunk = difference(decayed![1]!.parameters, without![1]!.parameters)
      for (const { kind, offset, size } of layoutOf({ ...smallSpec, ...changes }).parameters) {
        const before = start!.parameters.subarray(offset, offset + size)
        const expected = before.map((value) => (kind === 'weight' ? -0.1 * 0.5 * value : 0))
        expectNear(shrunk.subarray(offset, offset + size), expected, 1e-6)
      }
    })

    it('averages parameters and running statistics: a copy at first, then a share of the old average', async () => {
      const decay = 0.75
      const [start, first, second] = await stepsOf(
        engine,
        { batchNorm: 'all', optimizer: averaged(decay) },
        2,
      )
      expect(start!.averagedParameters).toEqual(start!.parameters)
      expect(first!.averagedParameters).toEqual(first!.parameters)
      expect(first!.averagedStatistics).toEqual(first!.runningStatistics)
      expect(first!.parameters).not.toEqual(start!.parameters)
      const average = (old: Float32Array, value: Float32Array) =>
        old.map((each, i) => decay * each + (1 - decay) * value[i]!)
      expectNear(second!.averagedParameters, average(first!.averagedParameters, second!.parameters), 1e-6)
      expectNear(
        second!.averagedStatistics,
        average(first!.averagedStatistics, second!.runningStatistics),
        1e-6,
      )
    })

    it('the averages do not change the training, and are the network that is evaluated', async () => {
      const changes: Partial<TrainerSpec> = { batchNorm: 'all' }
      const plain = await epochOf(engine, changes)
      const spec = { ...smallSpec, ...changes, optimizer: averaged(0.9) }
      const { state, evaluated } = await withTrainer(engine, spec, digits, async (trainer) => {
        await trainer.trainEpoch(1, quiet, never)
        return { state: await trainer.exportState(), evaluated: await evaluationOf(trainer) }
      })
      expect(state.parameters).toEqual(plain.state.parameters)
      const averagedState = {
        ...plain.state,
        parameters: state.averagedParameters,
        runningStatistics: state.averagedStatistics,
      }
      const expected = await withTrainer(engine, { ...smallSpec, ...changes }, digits, async (trainer) => {
        await trainer.importState(averagedState)
        return evaluationOf(trainer)
      })
      expect(evaluated).toEqual(expected)
    })

    it.each(['relu', 'leaky-relu', 'silu', { kind: 'leaky-relu', slope: 0.2 }] as const)(
      'learns with the activation %s',
      async (activation) => {
        const first = await epochOf(engine, { activation })
        const second = await epochOf(engine, { activation }, 2, first.state)
        expect(second.losses.mse).toBeLessThan(first.losses.mse)
      },
    )

    it('starts from orthogonal weights', async () => {
      const [state] = await stepsOf(engine, { init: 'orthogonal' }, 0)
      const { offset } = layoutOf(smallSpec).parameters[0]!
      const [first, second] = [0, 1].map((row) =>
        state!.parameters.subarray(offset + row * 784, offset + (row + 1) * 784),
      )
      expect(dot(first!, first!)).toBeCloseTo(2, 5)
      expect(dot(first!, second!)).toBeCloseTo(0, 5)
    })
  })
}

async function evaluationOf(trainer: Trainer) {
  return {
    embedding: await trainer.encode(digits),
    output: await trainer.reconstruct(digits),
    error: await trainer.meanSquaredError(digits, { seed: 0, deviation: 0.2 }),
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}
