import { EigenaeError } from '../../errors.js'
import { layoutOf } from '../../model/layout.js'
import { findInstallation, type TensorflowInstallation } from '../../setup/installation.js'
import type { Engine, ReplicaTrainer, TrainerSpec } from '../engine.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'
import type { TensorflowDevice } from './errors.js'
import { logLines } from './log.js'
import { type ProcessPlace, TensorflowProcess } from './process.js'
import { replicaTrainer, singleTrainer } from './remote-trainer.js'
import type { Execution } from './worker-calls.js'

export interface EngineOptions extends Partial<Pick<Execution, 'mode' | 'eigen'>> {
  /** Ends the processes of its trainers, whatever they are at. */
  readonly signal?: AbortSignal | undefined
  /** The card to train on, as CUDA_VISIBLE_DEVICES takes it; null or absent: the first that TensorFlow sees. */
  readonly card?: string | null
}

/**
 * TensorFlow's raw ops through the addon of `@tensorflow/tfjs-node-gpu`.
 * @throws EigenaeError where TensorFlow is not set up. Whether a card is there shows when a trainer is made.
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
    createReplicas: async (specs, images): Promise<ReplicaTrainer> =>
      replicaTrainer(await open(specs, images), specs.length),
  }
}

async function openTrainer(
  installation: TensorflowInstallation,
  device: TensorflowDevice,
  spec: NetworkSpec,
  images: Uint8Array,
  { mode = 'graph', eigen = 'host', signal, card = null }: EngineOptions,
): Promise<TensorflowProcess> {
  const worker = await openProcess(installation, { device, threads: spec.threads, card }, signal)
  try {
    await worker.call('create', [spec, images, { device: device === 'cuda' ? 'gpu' : 'cpu', mode, eigen }])
    return worker
  } catch (error) {
    await worker.close()
    throw error
  }
}

/** A process with TensorFlow loaded. @throws EigenaeError where it cannot be, or finds no card that was asked for. */
export async function openProcess(
  installation: TensorflowInstallation,
  place: ProcessPlace,
  signal?: AbortSignal,
): Promise<TensorflowProcess> {
  const worker = new TensorflowProcess(place, installation)
  signal?.addEventListener('abort', () => void worker.close(), { once: true })
  try {
    const { gpu } = await worker.call('open', [installation.addon, installation.protocol])
    if (place.device !== 'cuda' || gpu) return worker
  } catch (error) {
    await worker.close()
    throw error
  }
  await worker.close()
  throw noCard(worker.said)
}

/** `said` by TensorFlow while it looked for one. */
function noCard(said: string): EigenaeError {
  const details = complaintsIn(said)
  const first = details.length > 0 ? 'Mend what TensorFlow names' : 'See what "eigenae doctor" says'
  return new EigenaeError({
    problem: 'TensorFlow finds no graphics card that it can use',
    subject: 'device cuda',
    details,
    hint: `${first}, or train on the processor: --device cpu`,
  })
}

/** TensorFlow's warnings, errors and missing libraries. */
function complaintsIn(said: string): readonly string[] {
  return logLines(said).flatMap(({ level, text }) =>
    (level !== null && level !== 'I') || /could not/i.test(text) ? [text] : [],
  )
}

/** Sizes of arrays are 32-bit numbers in the graph. */
function refuseTooLarge(device: TensorflowDevice, spec: TrainerSpec): void {
  const { parameterCount } = layoutOf(spec)
  if (parameterCount < 2 ** 31) return
  throw new EigenaeError({
    problem: `a network of ${parameterCount} parameters is too large for this engine`,
    subject: `device ${device}`,
    hint: 'Lower model.widths.',
  })
}

/** @throws Error where the specs differ in more than their seeds. */
function networkSpec(specs: readonly TrainerSpec[]): NetworkSpec {
  const [{ seed: _, ...first }, ...others] = specs as readonly [TrainerSpec, ...TrainerSpec[]]
  const same = JSON.stringify(first)
  for (const { seed: _, ...other } of others) {
    if (JSON.stringify(other) !== same) throw new Error('replicas differ in more than their seeds')
  }
  return { ...first, seeds: specs.map(({ seed }) => seed) }
}
