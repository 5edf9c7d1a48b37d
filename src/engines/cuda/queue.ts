import { setImmediate } from 'node:timers/promises'
import type { CudaKernel, CudaModel } from './binding.js'

/** Seconds of a chunk to aim for: progress, Ctrl-C and the other kernels of a process wait for its end. */
const usualSeconds = 0.1
/** Steps of the first chunk of a kernel, whose speed is not known yet. */
const usualFirstSteps = 4
/** A chunk is at most this many times as long as the one before, so that one odd measurement does no harm. */
const growth = 4

interface Request {
  readonly kernel: CudaKernel
  readonly model: CudaModel
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The order in which the models of a process train on their card, a chunk of steps at a time. The models that wait and
 * have the same kernel are trained in one launch, as many as the card holds; those that do not fit come next. Neither
 * the length of the chunks nor a model's neighbours change its numbers.
 */
export class LaunchQueue {
  readonly #seconds: number
  readonly #firstSteps: number
  readonly #waiting: Request[] = []
  readonly #steps = new WeakMap<CudaKernel, number>()
  #running = false

  /**
   * @param seconds of a chunk to aim for
   * @param firstSteps of the first chunk of a kernel
   */
  constructor(seconds = usualSeconds, firstSteps = usualFirstSteps) {
    this.#seconds = seconds
    this.#firstSteps = firstSteps
  }

  /** Trains what the model has begun to its end, or until it is cancelled. */
  async train(kernel: CudaKernel, model: CudaModel, cancelled: () => boolean): Promise<void> {
    while (!cancelled() && model.remainingSteps() > 0) await this.#nextChunk(kernel, model)
  }

  /** Ends the model's wait for its next chunk; a chunk that is being trained is completed. */
  cancel(model: CudaModel): void {
    const index = this.#waiting.findIndex((each) => each.model === model)
    if (index >= 0) for (const { resolve } of this.#waiting.splice(index, 1)) resolve()
  }

  #nextChunk(kernel: CudaKernel, model: CudaModel): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kernel, model, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  /** Models whose chunk has ended ask for their next one before the next launch: they are given a turn of the loop. */
  async #run(): Promise<void> {
    this.#running = true
    for (await setImmediate(); this.#waiting.length > 0; await setImmediate()) await this.#launch()
    this.#running = false
  }

  async #launch(): Promise<void> {
    const requests = this.#takeNext()
    const { kernel } = requests[0]!
    const steps = this.#steps.get(kernel) ?? this.#firstSteps
    try {
      const models = requests.map(({ model }) => model)
      const longest = Math.min(steps, Math.max(...models.map((model) => model.remainingSteps())))
      const seconds = await kernel.train(models, steps)
      this.#steps.set(kernel, nextSteps(this.#seconds, steps, longest, seconds))
      for (const { resolve } of requests) resolve()
    } catch (error) {
      for (const { reject } of requests) reject(error)
    }
  }

  /** Removes the first request, and those that can be launched with it. */
  #takeNext(): readonly Request[] {
    const [{ kernel }] = this.#waiting as [Request]
    const taken = this.#waiting.filter((each) => each.kernel === kernel).slice(0, kernel.modelsPerLaunch)
    for (const each of taken) this.#waiting.splice(this.#waiting.indexOf(each), 1)
    return taken
  }
}

/**
 * Returns the number of steps of the next chunk.
 * @param aim seconds that it should take
 * @param steps of the chunk before, of which `taken` took `seconds`
 */
function nextSteps(aim: number, steps: number, taken: number, seconds: number): number {
  const fitting = Math.floor((aim / Math.max(seconds, 1e-6)) * taken)
  return Math.max(1, Math.min(fitting, growth * steps))
}
