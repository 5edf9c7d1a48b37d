import { EigenaeError, usageError } from '../../errors.js'
import type { Engine, TrainerSpec } from '../engine.js'
import { checkedCudaEngine } from '../tensorflow/engine.js'
import { openCudaCore } from './engine.js'

/** Forces one of the engines of the device cuda: "core" or "tensorflow". */
export const cudaEngineVariable = 'EIGENAE_CUDA'

/** How to choose between the engines of the device cuda. */
export interface CudaWish {
  /** The network to train. */
  readonly spec: TrainerSpec
  /** Whether replicas are to be trained, which only TensorFlow does. */
  readonly replicas: boolean
  /** The name of the engine that has begun the run, which it is resumed with; undefined for a new run. */
  readonly begunWith: string | undefined
}

export interface CudaChoice {
  readonly engine: Engine
  /** Why the CUDA core was not chosen; null if it was. */
  readonly reason: string | null
}

/**
 * Returns the CUDA core if it can train the network, and TensorFlow otherwise.
 * @throws EigenaeError if neither can be used.
 */
export async function chooseCudaEngine(wish: CudaWish): Promise<CudaChoice> {
  const forced = forcedEngine()
  if (forced === null && wish.replicas) return withTensorflow('replicas train with TensorFlow')
  if (forced === null && wish.begunWith === 'tensorflow') return withTensorflow('begun with TensorFlow')
  if (forced === 'tensorflow') return withTensorflow(`${cudaEngineVariable}=tensorflow`)
  const core = await openCudaCore(wish.spec)
  if (core.kind === 'engine') return { engine: core.engine, reason: null }
  if (forced === 'core') throw unfit(core.reason, core.hint)
  try {
    return await withTensorflow(`TensorFlow, because ${core.reason}`)
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    const hints = [core.hint, error.parts.hint].filter((hint) => hint !== undefined)
    throw new EigenaeError({
      ...error.parts,
      problem: `${core.reason}; and ${error.parts.problem}`,
      subject: 'device cuda',
      ...(hints.length > 0 && { hint: hints.join('\nor: ') }),
      cause: error,
    })
  }
}

async function withTensorflow(reason: string): Promise<CudaChoice> {
  return { engine: await checkedCudaEngine(), reason }
}

function unfit(reason: string, hint: string | undefined): EigenaeError {
  return new EigenaeError({
    problem: reason,
    subject: 'device cuda',
    hint:
      hint ?? `Unset ${cudaEngineVariable} to train it with TensorFlow, or use another device: --device cpu`,
  })
}

function forcedEngine(): 'core' | 'tensorflow' | null {
  const named = process.env[cudaEngineVariable] || null
  if (named === null || named === 'core' || named === 'tensorflow') return named
  throw usageError({
    problem: `there is no engine "${named}" for the device cuda`,
    subject: cudaEngineVariable,
    hint: 'Use core or tensorflow, or unset it.',
  })
}
