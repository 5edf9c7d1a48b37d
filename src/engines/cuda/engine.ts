import { EigenaeError, type ErrorParts, usageError } from '../../errors.js'
import { cudaLibrary, freestGpu, type Gpu, hasPartsOfGpus, requireDriver } from '../../setup/nvidia.js'
import { type CoreTrainer, coreBackedTrainer, encodeSpec } from '../core.js'
import type { Engine, EngineNeeds, Images, Trainer, TrainerSpec } from '../engine.js'
import { BindingError, loadNativeBinding } from '../native/binding.js'
import { checkOnCard, typicalNetwork } from '../self-check.js'
import { checkedCudaEngine } from '../tensorflow/engine.js'
import type {
  CardFacts,
  CudaBinding,
  CudaCard,
  CudaImages,
  CudaKernel,
  CudaModel,
  KernelPlan,
} from './binding.js'
import { isKernelRefusal, withCudaErrors } from './errors.js'
import { kernelPtx, kernelVariant, missingCompiler } from './kernel.js'
import { LaunchQueue } from './queue.js'

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
      details: core.details,
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
      details: [...(core.details ?? []), ...(error.parts.details ?? [])],
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
  | ({ readonly kind: 'unfit'; readonly reason: string } & Pick<ErrorParts, 'hint' | 'details'>)

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
  if (plan.refusal !== null)
    return {
      kind: 'unfit',
      reason: `the CUDA core does not train ${plan.refusal}`,
      hint: planFor(open, spec, unlimited).refusal === null ? partialCardHint() : undefined,
    }
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
    if (!isKernelRefusal(error)) throw error
    const { problem: reason, details, hint } = error.parts
    return { kind: 'unfit', reason, details, hint }
  }
}

/** Multiprocessors of which no network needs more. */
const unlimited = 2 ** 20

/** Returns how to use the whole card; undefined if this process is not known to have only a part of it. */
function partialCardHint(): string | undefined {
  if (process.env.CUDA_MPS_ACTIVE_THREAD_PERCENTAGE) return 'Run: unset CUDA_MPS_ACTIVE_THREAD_PERCENTAGE'
  return hasPartsOfGpus() ? 'Use the whole card instead of a part of it (MIG).' : undefined
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
    variant: kernelVariant(),
    origin: `${name} (${Math.floor(capability / 10)}.${capability % 10}), ${driver}, ${plan.blocks} blocks a model; the kernel ${origin}`,
    refusals: [],
    // As many as the card's multiprocessors hold at the same time: see the constructor in native/cuda/host/kernel.cc.
    atOnce: kernel.modelsPerLaunch,
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

/** The oldest cards that the kernel is compiled for: Volta. */
const oldestCapability = 70

/** The card of this process, which all its trainers share. */
export interface OpenCard {
  readonly binding: CudaBinding
  readonly card: CudaCard
  readonly queue: LaunchQueue
  readonly images: ImageStore
  /** The checked kernels by their options. */
  readonly kernels: Map<string, Promise<CheckedKernel>>
}

interface CheckedKernel {
  readonly kernel: CudaKernel
  readonly plan: Plan
  /** The origin of its PTX. */
  readonly origin: string
}

type Plan = Extract<KernelPlan, { readonly refusal: null }>

let opened: Promise<OpenCard> | undefined

/**
 * Opens the card of this process: the suitable one with the most free memory, at the first call.
 * @throws EigenaeError if there is no driver or no card, or if either is too old.
 */
export function openCard(): Promise<OpenCard> {
  opened ??= openNew().catch((error) => {
    opened = undefined
    throw error
  })
  return opened
}

async function openNew(): Promise<OpenCard> {
  const gpus = await requireDriver()
  const { cuda: binding } = loadNativeBinding().binding
  const card = await withCudaErrors(() =>
    binding.openCard({
      library: cudaLibrary(),
      uuid: gpus === null ? null : (freest(gpus)?.uuid ?? null),
      // A launch takes 0.2 s at most, and a driver may compile the kernel in the first one. Tests set another limit.
      launchLimitMilliseconds: Number(process.env.EIGENAE_CUDA_LAUNCH_LIMIT) || 30_000,
    }),
  )
  return { binding, card, kernels: new Map(), images: new ImageStore(card), queue: new LaunchQueue() }
}

/** Returns the suitable card with the most free memory; undefined for the driver's first one. */
function freest(gpus: readonly Gpu[]): Gpu | undefined {
  if (hasPartsOfGpus()) return undefined
  return freestGpu(gpus.filter(({ capability }) => !(10 * capability < oldestCapability)))
}

/** Returns why the card cannot train with the core; null if it can. */
function cardRefusal({ name, capability, cooperativeLaunch }: CardFacts): string | null {
  const text = `${Math.floor(capability / 10)}.${capability % 10}`
  if (capability < oldestCapability)
    return `${name} has compute capability ${text}, and the CUDA core needs 7.0 or newer`
  return cooperativeLaunch ? null : `${name} does not support cooperative launches here`
}

/** Returns how the card trains a network, or why it cannot. */
export function planFor(
  { binding, card: { facts } }: OpenCard,
  spec: TrainerSpec,
  multiprocessors = facts.multiprocessors,
): KernelPlan {
  return binding.planKernel(encodeSpec(spec), facts.sharedBytesPerBlock, multiprocessors)
}

/**
 * Returns the kernel of a plan, which has trained a few steps as the C++ core does.
 * @throws EigenaeError if there is no compiler for it, if the driver refuses it, or if it trains wrongly.
 */
export function checkedKernel(open: OpenCard, plan: Plan, spec: TrainerSpec): Promise<CheckedKernel> {
  const key = plan.options.join(' ')
  const known = open.kernels.get(key)
  if (known !== undefined) return known
  const loaded = loadKernel(open, plan, spec)
  open.kernels.set(key, loaded)
  loaded.catch(() => open.kernels.delete(key))
  return loaded
}

function loadKernel(open: OpenCard, plan: Plan, spec: TrainerSpec): Promise<CheckedKernel> {
  return withCudaErrors(async () => {
    const { ptx, origin } = await kernelPtx(open.binding, plan.options)
    const kernel = await open.card.loadKernel(ptx, encodeSpec(spec))
    await checkOnCard(spec, async (checked) => {
      const images = await open.images.keep(new Uint8Array(0))
      return cudaTrainer(open, kernel, await kernel.createModel(encodeSpec(checked)), images)
    })
    return { kernel, plan, origin }
  })
}

/** Wraps a model on the card as a trainer of the core. Its chunks wait in the queue of all trainers of the process. */
export function cudaTrainer(
  { queue, images: store }: Pick<OpenCard, 'queue' | 'images'>,
  kernel: CudaKernel,
  model: CudaModel,
  images: CudaImages,
): CoreTrainer {
  let losses: Float64Array = new Float64Array(3)
  let [stopped, disposed] = [false, false]

  /** @throws EigenaeError for a failure of the card; an error if the trainer was disposed of meanwhile. */
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    stopped = false
    const result = await withCudaErrors(work)
    if (disposed) throw new Error('the trainer has been disposed of')
    return result
  }
  const train = (begin: () => Promise<void>) =>
    call(async () => {
      await begin()
      const cancelled = () => {
        if (!disposed) losses = model.losses()
        return stopped || disposed
      }
      await queue.train(kernel, model, cancelled)
      return losses
    })
  const evaluate = <T>(input: Images, measure: (kept: CudaImages | Images) => Promise<T>) =>
    call(async () => measure(await store.forEvaluation(input)))
  const stop = () => {
    stopped = true
    queue.cancel(model)
  }

  return {
    setState: (step, numbers) => call(() => model.setState(step, numbers)),
    getState: (into) => call(() => model.getState(into)),
    step: () => model.step(),
    trainEpoch: (order, epoch, values) => train(() => model.beginEpoch(images, order, epoch, values)),
    trainBatch: (clean, noisy, values) => train(() => model.beginBatch(clean, noisy, values)),
    encode: (input) => evaluate(input, (kept) => model.encode(kept)),
    inspect: (input, rows, withError, into) =>
      evaluate(input, (kept) => model.inspect(kept, rows, withError, into)),
    reconstruct: (input) => evaluate(input, (kept) => model.reconstruct(kept)),
    meanSquaredError: (input, noise) => evaluate(input, (kept) => model.meanSquaredError(kept, noise)),
    progress: () => ({ loss: losses[0]!, images: losses[2]! }),
    stop,
    dispose: () => {
      disposed = true
      stop()
      model.dispose()
    },
  }
}

/** Smaller images are copied to the card for each call. */
const leastKeptBytes = 2 ** 18

/**
 * The images of data sets that are kept in the card's memory: runs of one process train on the same data, and evaluate
 * the same images after every epoch. The card's copy is freed with the data set's own memory.
 */
class ImageStore {
  readonly #card: CudaCard
  readonly #kept = new WeakMap<ArrayBufferLike, Map<string, Promise<CudaImages>>>()

  constructor(card: CudaCard) {
    this.#card = card
  }

  /** Returns the card's copy of training data, which is made by the first call. */
  keep(images: Uint8Array): Promise<CudaImages> {
    const { buffer, byteOffset, length } = images
    const views = this.#kept.get(buffer) ?? new Map<string, Promise<CudaImages>>()
    this.#kept.set(buffer, views)
    const view = `${byteOffset} ${length}`
    const kept = views.get(view) ?? this.#card.keepImages(images)
    views.set(view, kept)
    kept.catch(() => views.delete(view))
    return kept
  }

  /** Returns images for an evaluation: the card's copy if they may be of a data set. */
  async forEvaluation(images: Images): Promise<CudaImages | Images> {
    return images instanceof Uint8Array && images.length >= leastKeptBytes ? this.keep(images) : images
  }
}
