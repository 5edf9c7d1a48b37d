import { EigenaeError } from '../../errors.js'
import { inputDimension } from '../../model/architecture.js'
import { philox4x32 } from '../../model/random.js'
import { type CoreTrainer, coreBackedTrainer, encodeSpec } from '../core.js'
import type { Losses, TrainerSpec } from '../engine.js'
import { loadNativeBinding } from '../native/binding.js'
import type { CudaKernel } from './binding.js'
import { type CardContext, cudaTrainer } from './trainer.js'

const steps = 3
/** Rounding parts the two by some 1e-6 in steps as small as those of `tame`. */
const tolerance = 2e-4

const noImages = new Uint8Array(0)

/**
 * Trains a few steps of the network with the kernel, and with the C++ core, which the golden files compare with PyTorch.
 * @throws EigenaeError if the losses differ.
 */
export async function checkTraining(
  context: CardContext,
  kernel: CudaKernel,
  spec: TrainerSpec,
): Promise<void> {
  const checked = tame(spec)
  const images = await context.images.keep(noImages)
  const model = await kernel.createModel(encodeSpec(checked))
  const onCard = await trainSteps(cudaTrainer(context, kernel, model, images), checked)
  const onCore = await trainSteps(
    loadNativeBinding().binding.createTrainer(encodeSpec(checked), noImages),
    checked,
  )
  for (const [step, expected] of onCore.entries()) {
    const [found, wanted] = [numbers(onCard[step]!), numbers(expected)]
    const wrong = wanted.findIndex((value, i) => !near(found[i]!, value))
    if (wrong < 0) continue
    throw new EigenaeError({
      problem: `training gives wrong numbers: step ${step + 1} of the check has a loss of ${found[wrong]}, not ${wanted[wrong]}`,
      subject: 'device cuda',
      hint: 'Do not train on it. Use TensorFlow (EIGENAE_CUDA=tensorflow), or another device.',
    })
  }
}

/**
 * Returns the spec with small steps. Adam turns a gradient that is 0 up to rounding into a step of full size, so larger
 * steps would part two right trainings. Every eigen loss has a weight, also one that begins later.
 */
function tame(spec: TrainerSpec): TrainerSpec {
  const learningRate = spec.optimizer.kind === 'adam' ? 1e-4 : 0.01
  return {
    ...spec,
    optimizer: { ...spec.optimizer, learningRate, warmup: 0 },
    eigenLosses: spec.eigenLosses.map((each) => ({ ...each, weight: 1 })),
    threads: 1,
  }
}

async function trainSteps(core: CoreTrainer, spec: TrainerSpec): Promise<readonly Losses[]> {
  const trainer = await coreBackedTrainer(core, spec, noImages)
  try {
    const losses: Losses[] = []
    for (let step = 0; step < steps; step++)
      losses.push(await trainer.trainBatch(randomBatch(spec, 2 * step), randomBatch(spec, 2 * step + 1)))
    return losses
  } finally {
    await trainer.dispose()
  }
}

/** Returns a batch of numbers from 0 to 1. */
function randomBatch(spec: TrainerSpec, batch: number): Float32Array {
  const length = spec.batchSize * inputDimension(spec)
  return Float32Array.from({ length }, (_, i) => philox4x32([i, batch, 0, 0], [0, 0])[0] / 2 ** 32)
}

function numbers({ loss, mse, terms }: Losses): readonly number[] {
  return [loss, mse, ...terms.map(({ value }) => value)]
}

/** A training may diverge on random numbers; then it must do so in both. */
function near(value: number, expected: number): boolean {
  if (!Number.isFinite(expected)) return !Number.isFinite(value)
  return Math.abs(value - expected) <= tolerance * Math.abs(expected) + 1e-6
}
