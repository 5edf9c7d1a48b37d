import { EigenaeError } from '../../errors.js'
import { inputDimension } from '../../model/architecture.js'
import { philox4x32 } from '../../model/random.js'
import { eigenaeCommand } from '../../text/command-line.js'
import type { Engine, Losses, TrainerSpec } from '../engine.js'

const spec: TrainerSpec = {
  widths: [20, 12, 8, 4],
  batchNorm: 'encoder',
  activation: 'relu',
  init: 'he-uniform',
  eigenLosses: [
    {
      formula: { text: 'sum(first(sigma, 2)) / sum(sigma)', parameters: {}, center: false },
      weight: 1,
      layers: [2],
      minimumImages: 5,
    },
  ],
  optimizer: {
    kind: 'adam',
    learningRate: 0.005,
    warmup: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
  },
  averaging: null,
  batchSize: 24,
  seed: 1,
  noise: 0,
  threads: 1,
}
const stepCount = 3

interface StepLosses extends Pick<Losses, 'loss' | 'mse'> {
  readonly eigenLoss: number
}

/** The losses of each step by the C++ core, which the golden files compare with PyTorch. A test compares these with it. */
export const expectedLosses: readonly StepLosses[] = [
  { loss: 0.86992729, mse: 0.13567783, eigenLoss: 0.73424946 },
  { loss: 0.81284093, mse: 0.14995535, eigenLoss: 0.66288558 },
  { loss: 0.79967686, mse: 0.15193496, eigenLoss: 0.64774189 },
]
const tolerance = 2e-4

/**
 * Trains a few steps of a small network that has everything that may be wrong: products, batch norm, an eigen loss, Adam.
 * @param signal the engine's signal, if any: ends the check, which takes minutes if a card's kernels are compiled first
 * @throws EigenaeError if the device cannot be used or its losses are wrong; the signal's reason if it is aborted.
 */
export async function checkTrainingStep(engine: Engine, signal?: AbortSignal): Promise<void> {
  const losses = await trainSteps(engine).catch((error) => {
    signal?.throwIfAborted()
    throw error
  })
  for (const [step, expected] of expectedLosses.entries()) {
    const { loss, mse, terms } = losses[step]!
    const eigenLoss = terms[0]!.value
    if (near(loss, expected.loss) && near(mse, expected.mse) && near(eigenLoss, expected.eigenLoss)) continue
    throw new EigenaeError({
      problem: `training gives wrong numbers: step ${step + 1} of the check has a loss of ${loss}, not ${expected.loss}`,
      subject: `device ${engine.device}`,
      hint: `Do not train on it. Run "${eigenaeCommand('setup tensorflow')}" again, or use another device.`,
    })
  }
}

/** Trains the steps of the check on any engine. Returns the losses of each. */
export async function trainSteps(engine: Engine): Promise<readonly Losses[]> {
  const trainer = await engine.createTrainer(spec, new Uint8Array(0))
  try {
    const losses: Losses[] = []
    for (let step = 0; step < stepCount; step++) {
      losses.push(await trainer.trainBatch(randomBatch(2 * step), randomBatch(2 * step + 1)))
    }
    return losses
  } finally {
    await trainer.dispose()
  }
}

/** Returns a batch of numbers from 0 to 1. */
function randomBatch(batch: number): Float32Array {
  const count = spec.batchSize * inputDimension(spec)
  return Float32Array.from({ length: count }, (_, i) => philox4x32([i, batch, 0, 0], [0, 0])[0] / 2 ** 32)
}

function near(value: number, expected: number): boolean {
  return Math.abs(value - expected) <= tolerance * Math.abs(expected)
}
