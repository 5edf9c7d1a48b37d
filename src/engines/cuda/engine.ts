import { EigenaeError, usageError } from '../../errors.js'
import { coreBackedTrainer, encodeSpec } from '../core.js'
import type { Engine, EngineNeeds, Trainer, TrainerSpec } from '../engine.js'
import { BindingError } from '../native/binding.js'
import { checkedCudaEngine } from '../tensorflow/engine.js'
import { typicalNetwork } from '../typical-network.js'
import { type CheckedKernel, cardRefusal, checkedKernel, type OpenCard, openCard, planFor } from './card.js'
import { residencyRefusal, withCudaErrors } from './errors.js'
import { missingCompiler } from './kernel.js'
import { cudaTrainer } from './trainer.js'

/** Forces one of the engines of the device cuda: "core" or "tensorflow". */
export const cudaEngineVariable = 'EIGENAE_CUDA'

/**
 * Returns the CUDA core if it can train the network, and TensorFlow otherwise, which alone trains replicas. A run is resumed
 * with the engine that has begun it.
 * @throws EigenaeError if neither can be used.
 */
export async function openCudaDevice({
  spec = typicalNetwork,
  replicas = false,
  begunWith,
}: EngineNeeds): Promise<Engine> {
  const forced = forcedEngine()
  if (forced === null && replicas) return withTensorflow('replicas train with TensorFlow')
  if (forced === null && begunWith === 'tensorflow') return withTensorflow('begun with TensorFlow')
  if (forced === 'tensorflow') return withTensorflow(`${cudaEngineVariable}=tensorflow`)
  const core = await openCudaCore(spec)
  if (core.kind === 'engine') return core.engine
  if (forced === 'core')
    throw new EigenaeError({
      problem: core.reason,
      subject: 'device cuda',
      hint:
        core.hint ??
        `Unset ${cudaEngineVariable} to train it with TensorFlow, or use another device: --device cpu`,
    })
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

async function withTensorflow(reason: string): Promise<Engine> {
  return { ...(await checkedCudaEngine()), reason }
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

type CoreOpening =
  | { readonly kind: 'engine'; readonly engine: Engine }
  /** The driver works, and the core cannot train this network on the card. */
  | { readonly kind: 'unfit'; readonly reason: string; readonly hint?: string | undefined }

/**
 * Returns the engine of the CUDA core for a network, once its kernel has passed the check.
 * @throws EigenaeError if the card or its driver cannot be used, or if the kernel trains wrongly.
 */
export async function openCudaCore(spec: TrainerSpec): Promise<CoreOpening> {
  const open = await openCardOrNull()
  if (open === null)
    return { kind: 'unfit', reason: 'the C++ core, of which the CUDA core is a part, does not run' }
  const refusal = cardRefusal(open.card.facts)
  if (refusal !== null) return { kind: 'unfit', reason: refusal }
  const plan = planFor(open, spec)
  if (plan.refusal !== null) return { kind: 'unfit', reason: `the CUDA core does not train ${plan.refusal}` }
  const missing = await missingCompiler(plan.options)
  if (missing !== null)
    return {
      kind: 'unfit',
      reason: `its kernel must be compiled, and ${missing.problem}`,
      hint: missing.hint,
    }
  try {
    return { kind: 'engine', engine: cudaEngine(open, await checkedKernel(open, plan, spec)) }
  } catch (error) {
    const reason = residencyRefusal(error)
    if (reason === null) throw error
    return { kind: 'unfit', reason, hint: partialCardHint() }
  }
}

/** Returns how to use the whole card; undefined if this process is not known to have only a part of it. */
function partialCardHint(): string | undefined {
  if (process.env.CUDA_MPS_ACTIVE_THREAD_PERCENTAGE) return 'Run: unset CUDA_MPS_ACTIVE_THREAD_PERCENTAGE'
  return process.env.CUDA_VISIBLE_DEVICES?.includes('MIG-')
    ? 'Use the whole card instead of a part of it (MIG).'
    : undefined
}

/** Returns null if this machine has no addon. */
async function openCardOrNull(): Promise<OpenCard | null> {
  try {
    return await openCard()
  } catch (error) {
    if (error instanceof BindingError) return null
    throw error
  }
}

/** The engine also trains other networks that fit. */
function cudaEngine(open: OpenCard, { kernel, plan, origin }: CheckedKernel): Engine {
  const { name, capability, driverVersion } = open.card.facts
  const driver = `driver for CUDA ${Math.floor(driverVersion / 1000)}.${(driverVersion % 1000) / 10}`
  return {
    name: 'cuda-core',
    device: 'cuda',
    // The numbers depend neither on the card nor on the division of a model among thread blocks.
    variant: 'compute_70',
    origin: `${name} (${Math.floor(capability / 10)}.${capability % 10}), ${driver}, ${plan.blocks} blocks a model; the kernel ${origin}`,
    refusals: [],
    atOnce: kernel.modelsPerLaunch,
    unfit: (spec) => planFor(open, spec).refusal,
    createTrainer: (spec, images) => createTrainer(open, spec, images),
  }
}

async function createTrainer(open: OpenCard, spec: TrainerSpec, images: Uint8Array): Promise<Trainer> {
  const plan = planFor(open, spec)
  if (plan.refusal !== null)
    throw new EigenaeError({
      problem: `the CUDA core does not train ${plan.refusal}`,
      subject: 'device cuda',
    })
  const { kernel } = await checkedKernel(open, plan, spec)
  return withCudaErrors(async () => {
    const kept = await open.images.keep(images)
    const model = await kernel.createModel(encodeSpec(spec))
    return coreBackedTrainer(cudaTrainer(open, kernel, model, kept), spec, images)
  })
}
