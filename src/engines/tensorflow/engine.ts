import { EigenaeError } from '../../errors.js'
import { layoutOf } from '../../model/layout.js'
import { findInstallation, type TensorflowInstallation } from '../../setup/installation.js'
import { requireCard } from '../../setup/nvidia.js'
import type { Engine, EpochProgress, Images, Losses, Replica, TrainerSpec } from '../engine.js'
import { checkTrainingStep } from '../self-check.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'
import { noCardError, type TensorflowDevice } from './errors.js'
import { TensorflowProcess, type WorkerOptions } from './process.js'
import type { SentImages } from './worker.js'

interface EngineOptions {
  /** Kills the processes of the engine's trainers. */
  readonly signal?: AbortSignal | undefined
  /** The graphics card to train on, in the format of CUDA_VISIBLE_DEVICES; null or absent for TensorFlow's first one. */
  readonly card?: string | null
}

/**
 * The engine on TensorFlow's raw ops, through the addon of `@tensorflow/tfjs-node-gpu`.
 * @throws EigenaeError if TensorFlow is not set up. A missing graphics card is only detected when a trainer is created.
 */
export function tensorflowEngine(
  device: TensorflowDevice,
  { signal, card = null }: EngineOptions = {},
  installation: TensorflowInstallation = findInstallation(device === 'cuda' ? 'cuda' : 'cpu'),
): Engine {
  const open = async (specs: readonly TrainerSpec[], images: Uint8Array) => {
    refuseTooLarge(device, specs[0]!)
    const { threads } = specs[0]!
    const worker = await openProcess(installation, { device, threads, card }, signal)
    try {
      await worker.call('create', [networkSpec(specs), images, device === 'cuda' ? 'gpu' : 'cpu'])
      return worker
    } catch (error) {
      await worker.close()
      throw error
    }
  }
  return {
    name: 'tensorflow',
    device,
    variant: installation.version,
    origin: installation.addon,
    refusals: [],
    createTrainer: async (spec, images) => {
      const worker = await open([spec], images)
      return {
        ...replicaOf(worker, new ImageSender(), 0),
        trainEpoch: async (...call) => (await trainEpoch(worker, ...call))[0]!,
        trainBatch: async (clean, noisy) => (await worker.call('trainBatch', [clean, noisy]))[0]!,
        dispose: () => worker.close(),
      }
    },
    createReplicas: async (specs, images) => {
      const worker = await open(specs, images)
      const sender = new ImageSender()
      return {
        replicas: specs.map((_, index) => replicaOf(worker, sender, index)),
        trainEpoch: (...call) => trainEpoch(worker, ...call),
        dispose: () => worker.close(),
      }
    },
  }
}

/** The engine on a graphics card. @throws EigenaeError if a requirement is not met or a few training steps are wrong. */
export async function checkedCudaEngine(): Promise<Engine> {
  const card = await requireCard()
  const engine = tensorflowEngine('cuda', { card: card?.uuid ?? null })
  await checkTrainingStep(engine)
  return engine
}

/** TensorFlow's graph uses 32-bit numbers for the sizes of arrays. */
function refuseTooLarge(device: TensorflowDevice, spec: TrainerSpec): void {
  const { parameterCount } = layoutOf(spec)
  if (parameterCount < 2 ** 31) return
  throw new EigenaeError({
    problem: `a network of ${parameterCount} parameters is too large for this engine`,
    subject: `device ${device}`,
    hint: 'Lower model.widths.',
  })
}

/** @throws Error if the specs differ in more than their seeds. */
function networkSpec(specs: readonly TrainerSpec[]): NetworkSpec {
  const [{ seed: _, ...first }, ...others] = specs as readonly [TrainerSpec, ...TrainerSpec[]]
  const same = JSON.stringify(first)
  for (const { seed: _, ...other } of others) {
    if (JSON.stringify(other) !== same) throw new Error('replicas differ in more than their seeds')
  }
  return { ...first, seeds: specs.map(({ seed }) => seed) }
}

/** Starts a process and loads TensorFlow. @throws EigenaeError if it does not load, or finds no card for device cuda. */
export async function openProcess(
  installation: TensorflowInstallation,
  options: WorkerOptions,
  signal?: AbortSignal,
): Promise<TensorflowProcess> {
  const worker = new TensorflowProcess(options, installation)
  signal?.addEventListener('abort', () => void worker.close(), { once: true })
  try {
    const { gpu } = await worker.call('open', [installation.addon])
    if (options.device !== 'cuda' || gpu) return worker
  } catch (error) {
    await worker.close()
    throw error
  }
  await worker.close()
  throw noCardError(worker.log)
}

function replicaOf(worker: TensorflowProcess, sender: ImageSender, index: number): Replica {
  return {
    encode: (images) => worker.call('encode', [index, sender.send(images)]),
    inspect: (images, rows, withError) =>
      worker.call('inspect', [index, sender.send(images), rows, withError]),
    reconstruct: (images) => worker.call('reconstruct', [index, sender.send(images)]),
    meanSquaredError: (images, noise) => worker.call('meanSquaredError', [index, sender.send(images), noise]),
    exportState: () => worker.call('getState', [index]),
    importState: (state) => worker.call('setState', [index, state]),
  }
}

async function trainEpoch(
  worker: TensorflowProcess,
  epoch: number,
  onProgress: (progress: EpochProgress) => void,
  signal: AbortSignal,
): Promise<readonly Losses[]> {
  signal.throwIfAborted()
  const stop = () => worker.stop()
  signal.addEventListener('abort', stop)
  try {
    const losses = await worker.call('trainEpoch', [epoch], onProgress)
    signal.throwIfAborted()
    return losses!
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Fewer bytes are sent each time. Buffers from Node's pool for small ones are below this; their content changes. */
const leastKeptBytes = 2 ** 20

/**
 * Sends images. Every evaluation of every replica is on the same test set, and sending its 8 MB takes about 10 ms: bytes are
 * sent once and kept by the worker. Floats are made for one call and are always sent.
 */
class ImageSender {
  readonly #kept = new WeakMap<ArrayBufferLike, Map<string, number>>()
  #count = 0

  /** Two views of the same bytes are the same images. */
  send(images: Images): SentImages {
    if (!(images instanceof Uint8Array) || images.length < leastKeptBytes) return { images }
    const { buffer, byteOffset, length } = images
    const views = this.#kept.get(buffer) ?? new Map<string, number>()
    this.#kept.set(buffer, views)
    const view = `${byteOffset} ${length}`
    const kept = views.get(view)
    if (kept !== undefined) return { kept }
    views.set(view, this.#count)
    return { images, keepAs: this.#count++ }
  }
}
