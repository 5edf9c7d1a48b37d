import { describe, expect, it } from 'vitest'
import type { Engine, Losses, Trainer, TrainerSpec } from '../../src/engines/engine.js'
import { spectrumOf } from '../../src/engines/measures.js'
import type { TrainerState } from '../../src/model/state.js'
import type { Spectrum } from '../../src/spectrum/spectrum.js'
import { withTrainer } from '../support/engines.js'
import {
  flatMatrix,
  flatParameters,
  flatRunningStatistics,
  type GoldenCase,
  goldenCases,
  initialStateOf,
} from './case.js'

const relative = 2e-4
const absolute = 2e-6

function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, name: string): void {
  expect(actual.length, `${name}: length`).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!)
    const allowed = Math.max(absolute, relative * Math.abs(expected[i]!))
    if (!(difference <= allowed)) expect.fail(`${name}[${i}] is ${actual[i]}, PyTorch's is ${expected[i]}`)
  }
}

interface Replay {
  readonly steps: readonly Losses[]
  readonly afterFirst: TrainerState
  readonly final: TrainerState
}

async function replay(trainer: Trainer, golden: GoldenCase): Promise<Replay> {
  await trainer.importState(initialStateOf(golden))
  const steps: Losses[] = []
  let afterFirst: TrainerState | undefined
  for (const [step, clean] of golden.clean.entries()) {
    steps.push(await trainer.trainBatch(flatMatrix(clean), flatMatrix(golden.noisy[step]!)))
    afterFirst ??= await trainer.exportState()
  }
  return { steps, afterFirst: afterFirst!, final: await trainer.exportState() }
}

/** Adam's first moment starts at 0, so after one step it is (1 − β₁) times the gradient. SGD's buffer is the gradient. */
function firstGradients({ firstMoments }: TrainerState, { optimizer }: TrainerSpec): Float64Array {
  const factor = optimizer.kind === 'sgd' ? 1 : 1 - optimizer.beta1
  return Float64Array.from(firstMoments, (moment) => moment / factor)
}

async function expectGolden(engine: Engine, golden: GoldenCase): Promise<void> {
  await withTrainer(engine, golden.spec, new Uint8Array(0), async (trainer) => {
    const { expected, spec } = golden
    const { steps, afterFirst, final } = await replay(trainer, golden)
    for (const [step, losses] of expected.steps.entries()) {
      const { loss, mse, terms } = steps[step]!
      expectNear([loss, mse], [losses.loss, losses.mse], `losses of step ${step}`)
      const values = losses.terms ?? (spec.eigenLosses.length === 0 ? [] : [losses.penalty])
      expectNear(
        terms.map(({ value }) => value),
        values,
        `eigen losses of step ${step}`,
      )
    }
    const gradients = flatParameters(spec, expected.firstGradients)
    expectNear(firstGradients(afterFirst, spec), gradients, 'first gradient')
    expectNear(final.parameters, flatParameters(spec, expected.final), 'final parameter')
    expectNear(final.runningStatistics, flatRunningStatistics(spec, expected.final), 'running statistic')
    if (expected.averaged !== undefined) {
      expectNear(final.averagedParameters, flatParameters(spec, expected.averaged), 'averaged parameter')
      expectNear(
        final.averagedStatistics,
        flatRunningStatistics(spec, expected.averaged),
        'averaged statistic',
      )
    }
    await expectEvaluation(trainer, golden)
  })
}

async function expectEvaluation(trainer: Trainer, { expected, spec }: GoldenCase): Promise<void> {
  const { input, embedding, output, singularValues, singularShares } = expected.evaluation
  const encoded = await trainer.encode(flatMatrix(input))
  expectNear(encoded, flatMatrix(embedding), 'embedding')
  expectNear(await trainer.reconstruct(flatMatrix(input)), flatMatrix(output), 'output')
  const spectrum = await spectrumOf(
    encoded,
    spec.widths.at(-1)!,
    spec.eigenLosses[0]?.formula.center ?? false,
  )
  expectNear(spectrum.singularValues, padded(singularValues, spectrum), 'singular value')
  expectNear(spectrum.singularShares, padded(singularShares, spectrum), 'singular share')
}

/** PyTorch returns at most as many singular values as images; a spectrum has one per dimension, zeros last. */
function padded(values: readonly number[], { singularValues }: Spectrum): readonly number[] {
  return [...values, ...Array<number>(singularValues.length - values.length).fill(0)]
}

/** Tests that an engine reproduces every case, or those that `fits` selects. */
export function describeGolden(engine: Engine, fits: (spec: TrainerSpec) => boolean = () => true): void {
  describe(`engine ${engine.name} reproduces PyTorch`, () => {
    for (const { name, golden } of goldenCases().filter((each) => fits(each.golden.spec))) {
      it(name, () => expectGolden(engine, golden))
    }
  })
}
