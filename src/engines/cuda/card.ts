import { cudaLibrary, freestGpu, type Gpu, namesPartsOfGpus, requireDriver } from '../../setup/nvidia.js'
import { encodeSpec } from '../core.js'
import type { TrainerSpec } from '../engine.js'
import { loadNativeBinding } from '../native/binding.js'
import { checkOnCard } from '../self-check.js'
import type { CardFacts, CudaBinding, CudaCard, CudaKernel, KernelPlan } from './binding.js'
import { withCudaErrors } from './errors.js'
import { kernelPtx } from './kernel.js'
import { LaunchQueue } from './queue.js'
import { type CardContext, cudaTrainer, ImageStore } from './trainer.js'

/** The oldest cards that the kernel is compiled for: Volta. */
const oldestCapability = 70

/** The card of this process, which all its trainers share. */
export interface OpenCard extends CardContext {
  readonly binding: CudaBinding
  readonly card: CudaCard
  /** The checked kernels by their options. */
  readonly kernels: Map<string, Promise<CheckedKernel>>
}

export interface CheckedKernel {
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
  if (namesPartsOfGpus()) return undefined
  return freestGpu(gpus.filter(({ capability }) => !(10 * capability < oldestCapability)))
}

/** Returns why the card cannot train with the core; null if it can. */
export function cardRefusal({ name, capability, cooperativeLaunch }: CardFacts): string | null {
  const text = `${Math.floor(capability / 10)}.${capability % 10}`
  if (capability < oldestCapability)
    return `${name} has compute capability ${text}, and the CUDA core needs 7.0 or newer`
  return cooperativeLaunch ? null : `${name} has no cooperative launches here`
}

/** Returns how the card trains a network, or why it cannot. */
export function planFor({ binding, card }: OpenCard, spec: TrainerSpec): KernelPlan {
  return binding.planKernel(encodeSpec(spec), card.facts.sharedBytesPerBlock)
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
