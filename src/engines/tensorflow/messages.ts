import type { TrainerState } from '../../model/state.js'
import type { Images, Losses, NoiseField } from '../engine.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'

/** The messages between this process (process.ts) and the process that runs TensorFlow (worker.ts). */

/** The calls that the worker answers, one at a time. */
export interface WorkerCalls {
  /** Loads the addon and its messages. `gpu` is whether TensorFlow found a graphics card that it can use. */
  open(addon: string, protocol: string): { readonly version: string; readonly gpu: boolean }
  create(spec: NetworkSpec, images: Uint8Array, device: 'gpu' | 'cpu'): void
  /** Returns each replica's losses, or null if it was stopped. */
  trainEpoch(epoch: number): Promise<readonly Losses[] | null>
  trainBatch(clean: Float32Array, noisy: Float32Array): readonly Losses[]
  encode(replica: number, images: SentImages): Float32Array
  linearOutputs(replica: number, images: SentImages): readonly Float32Array[]
  reconstruct(replica: number, images: SentImages): Float32Array
  meanSquaredError(replica: number, images: SentImages, noise: NoiseField | null): number
  getState(replica: number): TrainerState
  setState(replica: number, state: TrainerState): void
  usage(): WorkerUsage
}

export type CallName = keyof WorkerCalls

/** The worker's use of memory, for the test that nothing leaks. */
export interface WorkerUsage {
  readonly tensors: number
  readonly models: number
  readonly residentBytes: number
}

/** To the worker: a call, or the order to stop the current epoch. */
export type Request = { readonly call: CallName; readonly args: readonly unknown[] } | { readonly stop: true }

/** From the worker: the progress of an epoch, or the end of a call. */
export type Reply =
  | { readonly imagesDone: number; readonly loss: number }
  | { readonly value: unknown }
  | { readonly error: string }

/** Images in a message, or the number under which the worker has kept them. */
export type SentImages = { readonly images: Images; readonly keepAs?: number } | { readonly kept: number }

/** Fewer bytes are sent each time. Buffers from Node's pool for small ones are below this; their content changes. */
const leastKeptBytes = 2 ** 20

interface Sent {
  readonly number: number
  times: number
}

/**
 * Sends images. Every evaluation of every replica is on the same test set, and sending its 8 MB takes about 10 ms: bytes
 * that are sent a second time are kept by the worker. Floats are made for one call and are always sent.
 */
export class ImageSender {
  readonly #sent = new WeakMap<ArrayBufferLike, Map<string, Sent>>()
  #count = 0

  send(images: Images): SentImages {
    if (!(images instanceof Uint8Array) || images.length < leastKeptBytes) return { images }
    const { number, times } = this.#countSending(images)
    if (times > 2) return { kept: number }
    return times === 2 ? { images, keepAs: number } : { images }
  }

  /** Two views of the same bytes are the same images. */
  #countSending({ buffer, byteOffset, length }: Uint8Array): Sent {
    const views = this.#sent.get(buffer) ?? new Map<string, Sent>()
    this.#sent.set(buffer, views)
    const view = `${byteOffset} ${length}`
    const sent = views.get(view) ?? { number: this.#count++, times: 0 }
    views.set(view, sent)
    sent.times++
    return sent
  }
}

/** Receives images in the worker. */
export class ImageReceiver {
  readonly #kept = new Map<number, Images>()

  receive(sent: SentImages): Images {
    if ('kept' in sent) return this.#kept.get(sent.kept)!
    if (sent.keepAs !== undefined) this.#kept.set(sent.keepAs, sent.images)
    return sent.images
  }
}
