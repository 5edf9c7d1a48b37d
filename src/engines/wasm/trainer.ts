import { EigenaeError } from '../../errors.js'
import { inputDimension, latentDimension } from '../../model/architecture.js'
import { type CoreStepValues, type CoreTrainer, encodeSpec } from '../core.js'
import type { Images, NoiseField, TrainerSpec } from '../engine.js'
import { maximalBytes, type WasmCall, WasmCore } from './core.js'

/** The number of slices in native/core/slices.h. More threads would only wait. */
const maximalThreads = 8

/** A trainer in a memory of its own. */
export class WasmTrainer implements CoreTrainer {
  readonly #core: WasmCore
  readonly #spec: TrainerSpec
  /** The images to train on, in the module's memory. */
  readonly #images: { readonly count: number; readonly address: number }
  #disposed = false

  constructor(module: WebAssembly.Module, spec: TrainerSpec, images: Uint8Array) {
    requireRoom(spec)
    const threads = Math.min(spec.threads, maximalThreads)
    const core = new WasmCore(module)
    const numbers = encodeSpec({ ...spec, threads })
    const address = core.put(numbers)
    core.exports.createTrainer(address, numbers.length)
    core.exports.release(address)
    this.#core = core
    this.#spec = spec
    this.#images = { count: images.length / inputDimension(spec), address: core.put(images) }
    core.start(threads)
  }

  setState(step: number, numbers: Float32Array): void {
    const core = this.#idle()
    const address = core.put(numbers)
    core.exports.setState(step, address)
    core.exports.release(address)
  }

  getState(): Float32Array {
    const core = this.#idle()
    const length = core.exports.stateLength()
    const address = core.allocate(4 * length)
    core.exports.getState(address)
    const numbers = core.get(Float32Array, address, length)
    core.exports.release(address)
    return numbers
  }

  step(): number {
    return this.#idle().exports.step()
  }

  trainEpoch(order: Uint32Array, epoch: number, values: CoreStepValues): Promise<Float64Array> {
    const { address, count } = this.#images
    return this.#train([order], values, (losses, rates, weights, orderAt) =>
      this.#core.call('trainEpoch', address, count, orderAt!, order.length, epoch, rates, weights, losses),
    )
  }

  trainBatch(clean: Float32Array, noisy: Float32Array, values: CoreStepValues): Promise<Float64Array> {
    const count = clean.length / inputDimension(this.#spec)
    return this.#train([clean, noisy], values, (losses, rates, weights, cleanAt, noisyAt) =>
      this.#core.call('trainBatch', cleanAt!, noisyAt!, count, rates, weights, losses),
    )
  }

  encode(images: Images): Promise<Float32Array> {
    return this.#infer('encode', images, latentDimension(this.#spec))
  }

  linearOutputs(images: Images): Promise<Float32Array> {
    const hidden = this.#spec.widths.slice(1, -1).reduce((sum, width) => sum + width, 0)
    return this.#infer('linearOutputs', images, 2 * hidden)
  }

  reconstruct(images: Images): Promise<Float32Array> {
    return this.#infer('reconstruct', images, inputDimension(this.#spec))
  }

  async meanSquaredError(images: Images, noise: NoiseField | null): Promise<number> {
    const core = this.#idle()
    const { seed, deviation } = noise ?? { seed: 0, deviation: 0 }
    return core.with([core.put(images)], (pixels) =>
      core.call('meanSquaredError', pixels!, ...this.#kindAndCount(images), seed, deviation),
    )
  }

  progress() {
    this.#requireAlive()
    const halves = new BigUint64Array([this.#core.exports.progress()]).buffer
    return { images: new Uint32Array(halves)[0]!, loss: new Float32Array(halves)[1]! }
  }

  stop(): void {
    this.#requireAlive()
    this.#core.exports.stopCall()
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    this.#core.exports.stopCall()
    await this.#core.end(new Error('the trainer has been disposed of'))
  }

  #requireAlive(): void {
    if (this.#disposed) throw new Error('the trainer has been disposed of')
  }

  #idle(): WasmCore {
    this.#requireAlive()
    if (this.#core.busy) throw new Error('the trainer is still at work on another call')
    return this.#core
  }

  /** Calls `train` with the addresses of the losses, the learning rates, the weights, and the arrays. */
  async #train(
    arrays: readonly (Uint32Array | Float32Array)[],
    { learningRates, weights }: CoreStepValues,
    train: (losses: number, rates: number, weights: number, ...arrays: readonly number[]) => Promise<number>,
  ): Promise<Float64Array> {
    const core = this.#idle()
    const length = 3 * (1 + this.#spec.eigenLosses.length)
    const inputs = [learningRates, weights, ...arrays].map((array) => core.put(array))
    return core.with([core.allocate(8 * length), ...inputs], async (losses, rates, weightsAt, ...others) => {
      await train(losses!, rates!, weightsAt!, ...others)
      return core.get(Float64Array, losses!, length)
    })
  }

  async #infer(name: WasmCall, images: Images, width: number): Promise<Float32Array> {
    const core = this.#idle()
    const [floats, count] = this.#kindAndCount(images)
    return core.with([core.put(images), core.allocate(4 * count * width)], async (pixels, output) => {
      await core.call(name, pixels!, floats, count, output!)
      return core.get(Float32Array, output!, count * width)
    })
  }

  #kindAndCount(images: Images): readonly [floats: number, count: number] {
    return [Number(images instanceof Float32Array), images.length / inputDimension(this.#spec)]
  }
}

/**
 * Rejects a spec that needs more than the memory, by a lower bound of its size. Sizes in the module have 32 bits, so a size
 * that is too large would wrap around.
 */
function requireRoom({ widths, batchSize, averaging }: TrainerSpec): void {
  const mirrored = [...widths, ...widths.slice(0, -1).reverse()]
  const weights = widths.slice(1).reduce((sum, width, i) => sum + 2 * width * widths[i]!, 0)
  const activations = mirrored.reduce((sum, width) => sum + 3 * width, 8 * widths[1]!) // and partial sums
  const bytes = 4 * ((averaging === null ? 3 : 4) * weights + batchSize * activations)
  if (bytes < maximalBytes) return
  throw new EigenaeError({
    problem: `training needs ${(bytes / 2 ** 30).toFixed(1)} GB, and WebAssembly has 4`,
    subject: 'device wasm',
    hint: 'Use --device cpu, a smaller batch or narrower layers.',
  })
}
