import { EigenaeError } from '../../errors.js'
import { inputDimension } from '../../model/architecture.js'
import { philox4x32 } from '../../model/random.js'
import type { Engine, Losses, TrainerSpec } from '../engine.js'

const spec: TrainerSpec = {
  widths: [20, 12, 8, 4],
  batchNorm: 'encoder',
  eigenLosses: [{ kind: 'top-k', weight: 1, center: false, parameters: { k: 2 } }],
  adam: { learningRate: 0.005, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  batchSize: 24,
  seed: 1,
  noise: 0,
  threads: 1,
}
const steps = 3

/** The losses of each step as the C++ core gives them, which the golden files hold to PyTorch. A test keeps them current. */
export const rightLosses: readonly Losses[] = [
  { loss: 0.86992729, mse: 0.13567783, eigenLoss: 0.73424946 },
  { loss: 0.81284093, mse: 0.14995535, eigenLoss: 0.66288558 },
  { loss: 0.79967686, mse: 0.15193496, eigenLoss: 0.64774189 },
]
const tolerance = 2e-4

/**
 * Trains a few steps of a small network with all that may go wrong in it: products, batch norm, an eigen loss, Adam.
 * @param signal that of the engine, if any: ends the check, which takes minutes where a card's kernels are compiled first
 * @throws EigenaeError where the device cannot be used, or its numbers are wrong; the signal's reason once it is aborted.
 */
export async function checkTrainingStep(engine: Engine, signal?: AbortSignal): Promise<void> {
  const losses = await trainSteps(engine).catch((error) => {
    signal?.throwIfAborted()
    throw error
  })
  for (const [step, right] of rightLosses.entries()) {
    const { loss, mse, eigenLoss } = losses[step]!
    if (near(loss, right.loss) && near(mse, right.mse) && near(eigenLoss, right.eigenLoss)) continue
    throw new EigenaeError({
      problem: `training gives wrong numbers: a loss of ${loss} in step ${step + 1} of a check that has ${right.loss}`,
      subject: `device ${engine.device}`,
      hint: 'Do not train there. Run "eigenae setup tensorflow" again, or take another device.',
    })
  }
}

/** The losses of the check on any engine. */
export async function trainSteps(engine: Engine): Promise<readonly Losses[]> {
  const trainer = await engine.createTrainer(spec, new Uint8Array(0))
  try {
    const losses: Losses[] = []
    for (let step = 0; step < steps; step++) {
      losses.push(await trainer.trainBatch(numbers(2 * step), numbers(2 * step + 1)))
    }
    return losses
  } finally {
    await trainer.dispose()
  }
}

/** A batch of numbers of 0 to 1. */
function numbers(batch: number): Float32Array {
  const count = spec.batchSize * inputDimension(spec)
  return Float32Array.from({ length: count }, (_, i) => philox4x32([i, batch, 0, 0], [0, 0])[0] / 2 ** 32)
}

function near(value: number, right: number): boolean {
  return Math.abs(value - right) <= tolerance * Math.abs(right)
}
