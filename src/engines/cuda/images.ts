import type { Images } from '../engine.js'
import type { CudaCard, CudaImages } from './binding.js'

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
