import { describe, it } from 'vitest'
import type { Engine } from '../../src/engines/engine.js'
import { type EngineOptions, tensorflowEngine } from '../../src/engines/tensorflow/engine.js'
import { EigenaeError } from '../../src/errors.js'

/** The device that the tests of the engine run on: scripts/gpu-check.sh names a card. */
export const tensorflowDevice = process.env.EIGENAE_TENSORFLOW_DEVICE === 'cuda' ? 'cuda' : 'tensorflow-cpu'

/** The engine, or why there is none here. */
export function openTensorflow(options?: EngineOptions): Engine | EigenaeError {
  try {
    return tensorflowEngine(tensorflowDevice, options)
  } catch (error) {
    if (error instanceof EigenaeError) return error
    throw error
  }
}

/** Describes tests of the engine; where TensorFlow is not set up they are skipped and say so, or fail in CI. */
export function whereTensorflowIs(tests: (engine: Engine) => void): void {
  const engine = openTensorflow()
  const missing = engine instanceof EigenaeError
  if (missing && process.env.CI !== undefined) throw engine
  describe.skipIf(missing)(missing ? `engine tensorflow: ${engine.message}` : 'with TensorFlow', () => {
    if (missing) it('runs', () => {})
    else tests(engine)
  })
}
