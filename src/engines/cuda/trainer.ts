import type { CoreTrainer } from '../core.js'
import type { Images } from '../engine.js'
import type { CudaCard, CudaImages, CudaKernel, CudaModel } from './binding.js'
import { withCudaErrors } from './errors.js'
import type { LaunchQueue } from './queue.js'

/** The objects that the trainers of a process share. */
export interface CardContext {
  readonly queue: LaunchQueue
  readonly images: ImageStore
}

/** Wraps a model on the card as a trainer of the core. Its chunks wait in the queue of all trainers of the process. */
export function cudaTrainer(
  { queue, images: store }: CardContext,
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
    getState: () => call(() => model.getState()),
    step: () => model.step(),
    trainEpoch: (order, epoch, values) => train(() => model.beginEpoch(images, order, epoch, values)),
    trainBatch: (clean, noisy, values) => train(() => model.beginBatch(clean, noisy, values)),
    encode: (input) => evaluate(input, (kept) => model.encode(kept)),
    linearOutputs: (input, into) => evaluate(input, (kept) => model.linearOutputs(kept, into)),
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
export class ImageStore {
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
