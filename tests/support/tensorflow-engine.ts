import { describe } from 'vitest'
import type { Engine } from '../../src/engines/engine.js'
import { tensorflowEngine } from '../../src/engines/tensorflow/engine.js'
import { EigenaeError } from '../../src/errors.js'
import { describeUnless } from './requirements.js'

/** The device that the tests of the engine use. scripts/gpu-check.sh sets it to a graphics card. */
export const tensorflowDevice = process.env.EIGENAE_TENSORFLOW_DEVICE === 'cuda' ? 'cuda' : 'tensorflow-cpu'

/** Returns the engine, or why this machine has none. */
function openTensorflow(): Engine | EigenaeError {
  try {
    return tensorflowEngine(tensorflowDevice)
  } catch (error) {
    if (error instanceof EigenaeError) return error
    throw error
  }
}

/** Describes tests of the engine. If TensorFlow is not set up, they are skipped with the reason, and fail in CI. */
export function describeWithTensorflow(tests: (engine: Engine) => void): void {
  const engine = openTensorflow()
  if (engine instanceof EigenaeError) describeUnless(engine.message, 'with TensorFlow', () => {})
  else describe('with TensorFlow', () => tests(engine))
}
