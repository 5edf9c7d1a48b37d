import type { TrainerState } from '../../model/state.js'
import type { CoreStepValues } from '../core-spec.js'
import type { CoreNoise, CoreProgress, CoreTrainer } from '../core-trainer.js'
import type { Images } from '../engine.js'
import type { LossSums } from '../losses.js'
import type { CudaImages, CudaKernel, CudaModel } from './binding.js'
import { withCudaErrors } from './errors.js'
import type { ImageStore } from './images.js'
import type { LaunchQueue } from './queue.js'

/** The objects that the trainers of a process share. */
export interface CardContext {
  readonly queue: LaunchQueue
  readonly images: ImageStore
}

/** A model on the card as a trainer of the core. Its chunks wait in the queue of all trainers of the process. */
export class CudaTrainer implements CoreTrainer {
  readonly #context: CardContext
  readonly #kernel: CudaKernel
  readonly #model: CudaModel
  readonly #images: CudaImages
  #losses: LossSums = { loss: 0, squaredError: 0, images: 0, terms: [] }
  #stopped = false
  #disposed = false

  constructor(context: CardContext, kernel: CudaKernel, model: CudaModel, images: CudaImages) {
    this.#context = context
    this.#kernel = kernel
    this.#model = model
    this.#images = images
  }

  setState(state: TrainerState): Promise<void> {
    return this.#call(() => this.#model.setState(state))
  }

  getState(): Promise<TrainerState> {
    return this.#call(() => this.#model.getState())
  }

  step(): number {
    return this.#model.step()
  }

  trainEpoch(order: Uint32Array, epoch: number, values: CoreStepValues): Promise<LossSums> {
    return this.#train(() => this.#model.beginEpoch(this.#images, order, epoch, values))
  }

  trainBatch(clean: Float32Array, noisy: Float32Array, values: CoreStepValues): Promise<LossSums> {
    return this.#train(() => this.#model.beginBatch(clean, noisy, values))
  }

  encode(images: Images): Promise<Float32Array> {
    return this.#evaluate(images, (kept) => this.#model.encode(kept))
  }

  linearOutputs(images: Images): Promise<Float32Array> {
    return this.#evaluate(images, (kept) => this.#model.linearOutputs(kept))
  }

  reconstruct(images: Images): Promise<Float32Array> {
    return this.#evaluate(images, (kept) => this.#model.reconstruct(kept))
  }

  meanSquaredError(images: Images, noise: CoreNoise | null): Promise<number> {
    return this.#evaluate(images, (kept) => this.#model.meanSquaredError(kept, noise))
  }

  progress(): CoreProgress {
    return this.#losses
  }

  stop(): void {
    this.#stopped = true
    this.#context.queue.cancel(this.#model)
  }

  dispose(): void {
    this.#disposed = true
    this.stop()
    this.#model.dispose()
  }

  #train(begin: () => Promise<void>): Promise<LossSums> {
    return this.#call(async () => {
      await begin()
      const cancelled = () => {
        if (!this.#disposed) this.#losses = this.#model.losses()
        return this.#stopped || this.#disposed
      }
      await this.#context.queue.train(this.#kernel, this.#model, cancelled)
      return this.#losses
    })
  }

  #evaluate<T>(images: Images, evaluate: (kept: CudaImages | Images) => Promise<T>): Promise<T> {
    return this.#call(async () => evaluate(await this.#context.images.forEvaluation(images)))
  }

  /** @throws EigenaeError for a failure of the card; an error if the trainer was disposed of meanwhile. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.#stopped = false
    const result = await withCudaErrors(work)
    if (this.#disposed) throw new Error('the trainer has been disposed of')
    return result
  }
}
