import { configSchema } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { inputDimension } from '../model/architecture.js'
import { philox4x32 } from '../model/random.js'
import { eigenaeCommand } from '../text/command-line.js'
import { type CoreTrainer, coreBackedTrainer, encodeSpec } from './core.js'
import type { Engine, Trainer, TrainerSpec } from './engine.js'
import { loadNativeBinding } from './native/binding.js'

/** The network of a config that only has a name: an engine is opened for it if no other network is known. */
export const typicalNetwork: TrainerSpec = {
  widths: [784, 128, 64, 12, 10],
  batchNorm: 'none',
  activation: 'relu',
  init: 'he-uniform',
  eigenLosses: [],
  optimizer: { ...configSchema.shape.optimizer.parse({}), learningRate: 0.005 },
  batchSize: 64,
  seed: 0,
  noise: 0.2,
  threads: 1,
}

// A device is only used once it has trained a few steps with the right losses.

const stepCount = 3
/** Relative. */
const tolerance = 2e-4
const noImages = new Uint8Array(0)

/** A small network that has everything that may be wrong: products, batch norm, an eigen loss, Adam. */
export const smallSpec: TrainerSpec = {
  ...typicalNetwork,
  widths: [20, 12, 8, 4],
  batchNorm: 'encoder',
  eigenLosses: [
    {
      formula: { text: 'sum(first(sigma, 2)) / sum(sigma)', parameters: {}, center: false },
      weight: 1,
      layers: [2],
      minimumImages: 5,
    },
  ],
  batchSize: 24,
  seed: 1,
  noise: 0,
}

/** The loss of a step, its mean squared error and its eigen losses. */
type StepLosses = readonly number[]

/**
 * The losses of the small network's steps by the C++ core, which the golden files compare with PyTorch. A test compares
 * these with it.
 */
export const smallLosses: readonly StepLosses[] = [
  [0.86992729, 0.13567783, 0.73424946],
  [0.81284093, 0.14995535, 0.66288558],
  [0.79967686, 0.15193496, 0.64774189],
]

/**
 * Trains the small network with TensorFlow.
 * @param signal the engine's signal, if any: ends the check, which takes minutes if a card's kernels are compiled first
 * @throws EigenaeError if the device cannot be used or its losses are wrong; the signal's reason if it is aborted.
 */
export async function checkTrainingStep(engine: Engine, signal?: AbortSignal): Promise<void> {
  const losses = await trainSteps(() => engine.createTrainer(smallSpec, noImages), smallSpec).catch(
    (error) => {
      signal?.throwIfAborted()
      throw error
    },
  )
  const hint = `Do not train on it. Run "${eigenaeCommand('setup tensorflow')}" again, or use another device.`
  requireSame(losses, smallLosses, 0, engine.device, hint)
}

/**
 * Trains a few steps of the network with the CUDA core, and with the C++ core, which the golden files compare with PyTorch.
 * @throws EigenaeError if the losses differ.
 */
export async function checkOnCard(
  spec: TrainerSpec,
  createTrainer: (spec: TrainerSpec) => Promise<CoreTrainer>,
): Promise<void> {
  const checked = tame(spec)
  const trainerOf = async (core: CoreTrainer) => coreBackedTrainer(core, checked, noImages)
  const onCard = await trainSteps(async () => trainerOf(await createTrainer(checked)), checked)
  const { binding } = loadNativeBinding()
  const onCore = await trainSteps(
    () => trainerOf(binding.createTrainer(encodeSpec(checked), noImages)),
    checked,
  )
  // Rounding parts the two by some 1e-6 in steps as small as those of `tame`.
  const hint = 'Do not train on it. Use TensorFlow (EIGENAE_CUDA=tensorflow), or another device.'
  requireSame(onCard, onCore, 1e-6, 'cuda', hint)
}

/**
 * Returns the spec with small steps. Adam turns a gradient that is 0 up to rounding into a step of full size, so larger
 * steps would part two right trainings. Every eigen loss has a weight, also one that begins later.
 */
function tame(spec: TrainerSpec): TrainerSpec {
  const learningRate = spec.optimizer.kind === 'sgd' ? 0.01 : 1e-4
  return {
    ...spec,
    optimizer: { ...spec.optimizer, learningRate, warmup: 0 },
    eigenLosses: spec.eigenLosses.map((each) => ({ ...each, weight: 1 })),
    threads: 1,
  }
}

/** Trains the steps of a check on numbers from 0 to 1. */
export async function trainSteps(
  createTrainer: () => Promise<Trainer>,
  spec: TrainerSpec,
): Promise<readonly StepLosses[]> {
  const length = spec.batchSize * inputDimension(spec)
  const batch = (index: number) =>
    Float32Array.from({ length }, (_, i) => philox4x32([i, index, 0, 0], [0, 0])[0] / 2 ** 32)
  const trainer = await createTrainer()
  try {
    const losses: StepLosses[] = []
    for (let step = 0; step < stepCount; step++) {
      const { loss, mse, terms } = await trainer.trainBatch(batch(2 * step), batch(2 * step + 1))
      losses.push([loss, mse, ...terms.map(({ value }) => value)])
    }
    return losses
  } finally {
    await trainer.dispose()
  }
}

/** @param slack the absolute tolerance beside the relative one */
function requireSame(
  found: readonly StepLosses[],
  expected: readonly StepLosses[],
  slack: number,
  device: string,
  hint: string,
): void {
  // A training may diverge on random numbers; then it must do so in both.
  const isNear = (value: number, wanted: number) =>
    Number.isFinite(wanted)
      ? Math.abs(value - wanted) <= tolerance * Math.abs(wanted) + slack
      : !Number.isFinite(value)
  for (const [step, wanted] of expected.entries()) {
    const losses = found[step]!
    const wrong = wanted.findIndex((value, i) => !isNear(losses[i]!, value))
    if (wrong < 0) continue
    throw new EigenaeError({
      problem: `training gives wrong numbers: step ${step + 1} of the check has a loss of ${losses[wrong]}, not ${wanted[wrong]}`,
      subject: `device ${device}`,
      hint,
    })
  }
}
