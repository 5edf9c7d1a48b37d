import { setImmediate } from 'node:timers/promises'
import type { TrainerState } from '../../model/state.js'
import type { Images, NoiseField } from '../engine.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'
import { loadTensorflowBinding, Session, type TensorflowBinding } from './session.js'
import { meanOverReplicas, type OpenSession, ReplicaTrainer, type StepWatch } from './trainer.js'

// The main module of the process that runs TensorFlow: answers the calls of process.ts, which imports types only.

export type WorkerCalls = typeof calls
export type CallName = keyof WorkerCalls

/** To the worker: a call, or the order to stop the current epoch. */
export type Request = { readonly call: CallName; readonly args: readonly unknown[] } | { readonly stop: true }

/** From the worker: the progress of an epoch, or the end of a call. */
export type Reply =
  | { readonly imagesDone: number; readonly loss: number }
  | { readonly value: unknown }
  | { readonly error: string }

/** Images in a message, or the number under which the worker has kept them. */
export type SentImages = { readonly images: Images; readonly keepAs?: number } | { readonly kept: number }

const yieldMilliseconds = 15
const progressMilliseconds = 100

const keptImages = new Map<number, Images>()
let binding: TensorflowBinding | null = null
let trainer: ReplicaTrainer | null = null
let stopped = false

/** The calls that the worker answers, one at a time. */
const calls = {
  /** Loads the addon. `gpu` is whether TensorFlow found a graphics card that it can use. */
  open: (addon: string) => {
    binding = loadTensorflowBinding(addon)
    return { version: binding.TF_Version, gpu: binding.isUsingGpuDevice() }
  },
  create: (spec: NetworkSpec, trainingImages: Uint8Array, device: 'gpu' | 'cpu') => {
    const devices = { device: `/device:${device.toUpperCase()}:0`, host: '/device:CPU:0' }
    const open: OpenSession = (procedures) => new Session(binding!, procedures, devices)
    trainer = new ReplicaTrainer(open, spec, trainingImages)
  },
  /** Returns each replica's losses, or null if it was stopped. */
  trainEpoch: async (epoch: number) => {
    stopped = false
    const losses = await trainer!.trainEpoch(epoch, watchSteps())
    if (losses !== null) send({ imagesDone: trainer!.imageCount, loss: meanOverReplicas(losses) })
    return losses
  },
  trainBatch: (clean: Float32Array, noisy: Float32Array) => trainer!.trainBatch(clean, noisy),
  encode: (replica: number, sent: SentImages) => trainer!.encode(replica, received(sent)),
  inspect: (replica: number, sent: SentImages, rows: number, withError: boolean) =>
    trainer!.inspect(replica, received(sent), rows, withError),
  reconstruct: (replica: number, sent: SentImages) => trainer!.reconstruct(replica, received(sent)),
  meanSquaredError: (replica: number, sent: SentImages, noise: NoiseField | null) =>
    trainer!.meanSquaredError(replica, received(sent), noise),
  getState: (replica: number) => trainer!.getState(replica),
  setState: (replica: number, state: TrainerState) => trainer!.setState(replica, state),
  /** The use of memory, for the test that nothing leaks. */
  usage: () => ({
    tensors: binding!.getNumOfTensors(),
    models: binding!.getNumOfSavedModels(),
    residentBytes: process.memoryUsage().rss,
  }),
}

function received(sent: SentImages): Images {
  if ('kept' in sent) return keptImages.get(sent.kept)!
  if (sent.keepAs !== undefined) keptImages.set(sent.keepAs, sent.images)
  return sent.images
}

/** Every 15 ms lets the event loop read a message to stop; every 100 ms reports the progress. */
function watchSteps(): StepWatch {
  let yielded = performance.now()
  let reported = yielded
  return async (imagesDone, meanLoss) => {
    const now = performance.now()
    if (now - yielded < yieldMilliseconds) return stopped
    if (now - reported >= progressMilliseconds) {
      send({ imagesDone, loss: meanLoss() })
      reported = now
    }
    await setImmediate()
    yielded = performance.now()
    return stopped
  }
}

function send(reply: Reply): void {
  process.send?.(reply)
}

async function answer(name: CallName, args: readonly unknown[]): Promise<Reply> {
  try {
    const call = calls[name] as (...args: readonly unknown[]) => unknown
    return { value: await call(...args) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

process.on('message', (request: Request) => {
  if ('stop' in request) stopped = true
  else void answer(request.call, request.args).then(send)
})
process.on('disconnect', () => process.exit())
// A terminal's Ctrl-C and a cluster's signals reach this process as well; the other process decides what to do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => {})
