import { expect, it } from 'vitest'
import { buildEmulation } from '../../native/cuda/tests/build.mjs'
import {
  addModel,
  type Batches,
  Reader,
  readModel,
  run,
  trainRequest,
} from '../../native/cuda/tests/requests.mjs'
import { coreSpec, stepValues } from '../../src/engines/core.js'
import type { EigenLossSpec, Engine, TrainerSpec } from '../../src/engines/engine.js'
import { nativeEngine } from '../../src/engines/native/engine.js'
import type { Formula } from '../../src/formulas/parse.js'
import { philox4x32 } from '../../src/model/random.js'
import { initialState, type TrainerState } from '../../src/model/state.js'
import { describeGolden } from '../golden/suite.js'
import {
  type Division,
  describeWithCompiler,
  emulatedCuda,
  fitsCuda,
  shapeOf,
} from '../support/emulated-cuda.js'
import { adam, averaged, never, withTrainer } from '../support/engines.js'
import { formulaOfKind } from '../support/formulas.js'

const quiet = () => {}

/** The divisions of a network of at most 64 inputs. */
const divisions: readonly Division[] = [
  { blocks: 1, tiles: 1 },
  { blocks: 2, tiles: 1 },
  { blocks: 4, tiles: 1 },
  { blocks: 4, tiles: 2 },
]

// Compiling the kernels takes seconds for each shape and division. With EIGENAE_CUDA_DIVISIONS=all every golden case runs
// on all divisions, otherwise on one, by the shape; the tests below compare the divisions.
const all = process.env.EIGENAE_CUDA_DIVISIONS === 'all'
const divisionsOf = ({ widths, batchSize, batchNorm, activation }: TrainerSpec) => {
  const sum = [...JSON.stringify([widths, batchSize, batchNorm, activation])].reduce(
    (total, character) => total + character.charCodeAt(0),
    0,
  )
  return all ? divisions : [divisions[sum % divisions.length]!]
}

describeWithCompiler('the CUDA kernels beside PyTorch', () =>
  describeGolden(emulatedCuda(divisionsOf), fitsCuda),
)

const widths = [40, 24, 9, 5]
const latentLayer = widths.length - 2

function eigenLoss(formula: Formula, changes: Partial<EigenLossSpec> = {}): EigenLossSpec {
  return { formula, weight: 0.1, layers: [latentLayer], minimumImages: 6, ...changes }
}

const spec: TrainerSpec = {
  widths,
  batchNorm: 'none',
  activation: 'relu',
  init: 'he-uniform',
  eigenLosses: [eigenLoss(formulaOfKind('top-k', { k: 2 }))],
  optimizer: adam,
  batchSize: 16,
  seed: 7,
  noise: 0.2,
  threads: 1,
}

function bytes(count: number, inputs: number): Uint8Array {
  return Uint8Array.from({ length: count * inputs }, (_, i) =>
    philox4x32([i, 0, 0, 0], [1, 0])[0] % 3 === 0 ? i % 256 : 0,
  )
}

const images = bytes(70, widths[0]!)

describeWithCompiler('the CUDA kernels', () => {
  it('give the same bytes in every division, with everything at once', async () => {
    const everything: TrainerSpec = {
      ...spec,
      batchNorm: 'all',
      activation: 'silu',
      optimizer: { ...averaged(0.9), kind: 'adamw', weightDecay: 0.05 },
      eigenLosses: [
        eigenLoss(formulaOfKind('entropy', {}, true)),
        eigenLoss(formulaOfKind('decorrelation')),
        eigenLoss(formulaOfKind('kl-normal', { epsilon: 0.01 })),
        eigenLoss(formulaOfKind('variance')),
        eigenLoss(formulaOfKind('log-max'), { minimumImages: 17 }),
      ],
    }
    const engine = emulatedCuda(() => divisions)
    const { losses } = await withTrainer(engine, everything, images, async (trainer) => ({
      losses: await trainer.trainEpoch(1, quiet, never),
    }))
    const core = await withTrainer(nativeEngine(), everything, images, (trainer) =>
      trainer.trainEpoch(1, quiet, never),
    )
    expect(losses.mse).toBeCloseTo(core.mse, 5)
    expect(losses.terms.map(({ value }) => value)).toEqual(
      // The last loss has no batch of 17 images.
      core.terms.map(({ value }) => (Number.isNaN(value) ? value : expect.closeTo(value, 4))),
    )
  })

  it('train the models of a launch as each alone, and chunks as a whole epoch', async () => {
    const specs = [
      { ...spec, seed: 1 },
      {
        ...spec,
        seed: 2,
        eigenLosses: [eigenLoss(formulaOfKind('covariance')), eigenLoss(formulaOfKind('top-k', { k: 1 }))],
        noise: 0.4,
      },
      { ...spec, seed: 3, eigenLosses: [], optimizer: { ...averaged(0.8), learningRate: 0.02 } },
    ]
    const program = await buildEmulation(shapeOf(coreSpec(spec), divisions[1]!))
    const order = Uint32Array.from({ length: 70 }, (_, i) => (i * 37) % 70)
    const train = (
      models: readonly { spec: TrainerSpec; state: TrainerState; first: number; steps: number }[],
    ) => {
      const request = trainRequest(models.length)
      for (const { spec, state, first, steps } of models) {
        const values = stepValues(spec, state.step, steps)
        const batches: Batches = { order, epoch: 1, count: 70, first, values }
        addModel(request, coreSpec(spec), state, batches, images)
      }
      const reader = new Reader(run([program], request))
      return models.map(({ state, steps }) => readModel(reader, state.step + steps).state)
    }
    const whole = specs.map(
      (spec) => train([{ spec, state: initialState(spec, spec.seed), first: 0, steps: 5 }])[0],
    )
    let states = specs.map((spec) => initialState(spec, spec.seed))
    for (const steps of [
      [2, 1, 0],
      [1, 0, 5],
      [2, 4, 0],
    ]) {
      states = train(
        specs.map((spec, i) => ({
          spec,
          state: states[i]!,
          first: states[i]!.step * spec.batchSize,
          steps: steps[i]!,
        })),
      )
    }
    for (const [i, state] of states.entries()) expectSameBytes(state, whole[i]!)
  })

  it.each([
    ['a batch of 256', { batchSize: 256 }, 600],
    ['a latent layer of 64', { widths: [40, 24, 70, 64], batchSize: 80 }, 200],
    ['an odd latent size and a hidden layer alone', { widths: [40, 24, 7], batchSize: 16 }, 70],
    [
      'SGD with momentum',
      {
        optimizer: {
          ...{ kind: 'sgd', learningRate: 0.05, warmup: 0, averaging: null },
          ...{ momentum: 0.9, nesterov: true },
        },
      },
      70,
    ],
  ] as const)('follow the C++ core with %s', async (_, changes, count) => {
    const changed = { ...spec, ...changes } as TrainerSpec
    const layer = changed.widths.length - 2
    const eigenLosses = changed.eigenLosses.map((loss) => ({
      ...loss,
      layers: [layer],
      minimumImages: 1 + changed.widths.at(-1)!,
    }))
    await expectCore({ ...changed, eigenLosses }, bytes(count, changed.widths[0]!), divisions.slice(1, 3))
  })

  it('follow the C++ core on images of 12 × 20', async () => {
    const tall = { ...spec, widths: [240, 24, 9, 5] }
    await expectCore(tall, bytes(70, 240), [
      { blocks: 4, tiles: 1 },
      { blocks: 16, tiles: 2 },
    ])
  })

  it('follow the C++ core on the whole network', async () => {
    const whole: TrainerSpec = {
      ...spec,
      widths: [784, 128, 64, 12, 10],
      batchSize: 64,
      eigenLosses: [
        eigenLoss(formulaOfKind('top-k', { k: 2 }), { weight: 1, layers: [3], minimumImages: 11 }),
      ],
      optimizer: { ...adam, learningRate: 0.001 },
    }
    const divisions = [
      { blocks: 13, tiles: 1 },
      { blocks: 52, tiles: 4 },
    ]
    await expectCore(whole, bytes(600, 784), divisions)
  })
})

/** Trains an epoch, and evaluates, by the kernels and by the C++ core. */
async function expectCore(
  spec: TrainerSpec,
  images: Uint8Array,
  divisions: readonly Division[],
): Promise<void> {
  const trained = (engine: Engine) =>
    withTrainer(engine, spec, images, async (trainer) => ({
      losses: await trainer.trainEpoch(1, quiet, never),
      state: await trainer.exportState(),
      mse: await trainer.meanSquaredError(images, { seed: 3, deviation: 0.2 }),
      values: await trainer.inspect(images, images.length / spec.widths[0]!, true),
    }))
  const cuda = await trained(emulatedCuda(() => divisions))
  const core = await trained(nativeEngine())
  const close = (a: number, b: number) =>
    expect(Math.abs(a - b)).toBeLessThan(1e-3 * Math.max(1e-3, Math.abs(b)))
  close(cuda.losses.mse, core.losses.mse)
  for (const [i, { value }] of core.losses.terms.entries()) close(cuda.losses.terms[i]!.value, value)
  close(cuda.mse, core.mse)
  close(cuda.values.mse, core.values.mse)
  for (const [i, outputs] of core.values.linearOutputs.entries())
    expectAlike(cuda.values.linearOutputs[i]!, outputs)
  expectAlike(cuda.values.embedding, core.values.embedding)
  expectAlike(cuda.state.parameters, core.state.parameters)
}

/** Unlike toEqual, does not print all the numbers. */
function expectSameBytes(actual: TrainerState, expected: TrainerState): void {
  expect(actual.step).toBe(expected.step)
  for (const [name, values] of Object.entries(expected)) {
    if (typeof values === 'number') continue
    const other = actual[name as keyof TrainerState] as Float32Array
    expect(Buffer.compare(Buffer.from(other.buffer), Buffer.from(values.buffer)), name).toBe(0)
  }
}

/** Expects a relative distance of at most 1 %: training amplifies rounding errors. */
function expectAlike(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length)
  let [distance, size] = [0, 0]
  for (const [i, value] of expected.entries()) {
    distance += (actual[i]! - value) ** 2
    size += value ** 2
  }
  expect(Math.sqrt(distance / size)).toBeLessThan(0.01)
}
