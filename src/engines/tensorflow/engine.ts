import { EigenaeError } from '../../errors.js'
import { layoutOf } from '../../model/layout.js'
import { findInstallation, type TensorflowInstallation } from '../../setup/installation.js'
import { requireCard } from '../../setup/nvidia.js'
import type {
  Engine,
  EpochProgress,
  Losses,
  Replica,
  ReplicaTrainer,
  Trainer,
  TrainerSpec,
} from '../engine.js'
import { checkTrainingStep } from '../self-check.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'
import { noCardError, type TensorflowDevice } from './errors.js'
import { ImageSender } from './messages.js'
import { TensorflowProcess, type WorkerOptions } from './process.js'

export interface EngineOptions {
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
  options: EngineOptions = {},
  installation: TensorflowInstallation = findInstallation(device === 'cuda' ? 'cuda' : 'cpu'),
): Engine {
  const open = (specs: readonly TrainerSpec[], images: Uint8Array) => {
    refuseTooLarge(device, specs[0]!)
    return openTrainer(installation, device, networkSpec(specs), images, options)
  }
  return {
    name: 'tensorflow',
    device,
    variant: installation.version,
    origin: installation.addon,
    refusals: [],
    createTrainer: async (spec, images) => singleTrainer(await open([spec], images)),
    createReplicas: async (specs, images) => replicaTrainer(await open(specs, images), specs.length),
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

async function openTrainer(
  installation: TensorflowInstallation,
  device: TensorflowDevice,
  spec: NetworkSpec,
  images: Uint8Array,
  { signal, card = null }: EngineOptions,
): Promise<TensorflowProcess> {
  const worker = await openProcess(installation, { device, threads: spec.threads, card }, signal)
  try {
    await worker.call('create', [spec, images, device === 'cuda' ? 'gpu' : 'cpu'])
    return worker
  } catch (error) {
    await worker.close()
    throw error
  }
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
    const { gpu } = await worker.call('open', [installation.addon, installation.protocol])
    if (options.device !== 'cuda' || gpu) return worker
  } catch (error) {
    await worker.close()
    throw error
  }
  await worker.close()
  throw noCardError(worker.log)
}

/** The only replica of a process as a trainer. */
function singleTrainer(worker: TensorflowProcess): Trainer {
  return {
    ...replicaOf(worker, new ImageSender(), 0),
    trainEpoch: async (epoch, onProgress, signal) =>
      (await trainEpoch(worker, epoch, onProgress, signal))[0]!,
    trainBatch: async (clean, noisy) => (await worker.call('trainBatch', [clean, noisy]))[0]!,
    dispose: () => worker.close(),
  }
}

function replicaTrainer(worker: TensorflowProcess, count: number): ReplicaTrainer {
  const sender = new ImageSender()
  return {
    replicas: Array.from({ length: count }, (_, index) => replicaOf(worker, sender, index)),
    trainEpoch: (epoch, onProgress, signal) => trainEpoch(worker, epoch, onProgress, signal),
    dispose: () => worker.close(),
  }
}

function replicaOf(worker: TensorflowProcess, sender: ImageSender, index: number): Replica {
  return {
    encode: (images) => worker.call('encode', [index, sender.send(images)]),
    linearOutputs: (images) => worker.call('linearOutputs', [index, sender.send(images)]),
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
