import { EigenaeError } from '../../errors.js'
import type { EnginePenalty } from '../../model/penalties/index.js'
import type { TrainerState } from '../../model/state.js'
import type { CoreNoise, CoreSpec, CoreTrainer } from '../core/core.js'
import type { Images } from '../engine.js'
import type { LossSums } from '../losses.js'
import { Crew } from './crew.js'
import { Heap } from './heap.js'
import { instantiate, type WasmExports } from './instance.js'

const page = 2 ** 16
const initialBytes = 2 ** 21 // what scripts/build-wasm.mjs tells the linker
const maximalBytes = 2 ** 32
const stackBytes = 2 ** 18

/** native/core/slices.h cuts sums into so many: more threads would only wait. */
const maximalThreads = 8

/**
 * A trainer in a memory of its own. This thread has an instance, too, for what is quick; it only touches the memory
 * while no call is under way, but for the words of `control`.
 */
export class WasmTrainer implements CoreTrainer {
  readonly control: Int32Array
  readonly #exports: WasmExports
  readonly #heap: Heap
  readonly #crew: Crew
  readonly #inputs: number
  readonly #latent: number
  /** The images that were trained on last, and where they are: every epoch has the same. */
  #kept: { readonly images: Uint8Array; readonly address: number } | null = null
  #disposed = false

  constructor(module: WebAssembly.Module, spec: CoreSpec) {
    requireRoom(spec)
    const pages = { initial: initialBytes / page, maximum: maximalBytes / page }
    const memory = new WebAssembly.Memory({ ...pages, shared: true })
    const threads = Math.min(spec.threads, maximalThreads)
    this.#exports = instantiate(module, memory)
    this.#exports.initialize()
    this.#heap = new Heap(memory, this.#exports)
    this.#inputs = spec.widths[0]!
    this.#latent = spec.widths.at(-1)!
    this.#create(spec, threads)
    this.control = this.#heap.sharedWords(this.#exports.control() >>> 0, 3)
    const stackTops = Array.from({ length: threads }, () => this.#heap.allocate(stackBytes) + stackBytes)
    this.#crew = new Crew(module, memory, stackTops)
  }

  setState(state: TrainerState): void {
    this.#requireIdle()
    const { step, parameters, firstMoments, secondMoments, runningStatistics } = state
    const arrays = [parameters, firstMoments, secondMoments, runningStatistics]
    const numbers = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0))
    let end = 0
    for (const array of arrays) {
      numbers.set(array, end)
      end += array.length
    }
    const address = this.#heap.put(numbers)
    this.#exports.setState(step, address)
    this.#heap.release(address)
  }

  getState(): TrainerState {
    this.#requireIdle()
    const count = this.#exports.parameterCount()
    const total = 3 * count + this.#exports.runningStatisticCount()
    const address = this.#heap.allocate(4 * total)
    const step = this.#exports.getState(address)
    const numbers = this.#heap.floats(address, total)
    this.#heap.release(address)
    return {
      step,
      parameters: numbers.slice(0, count),
      firstMoments: numbers.slice(count, 2 * count),
      secondMoments: numbers.slice(2 * count, 3 * count),
      runningStatistics: numbers.slice(3 * count),
    }
  }

  async trainEpoch(images: Uint8Array, order: Uint32Array, epoch: number): Promise<LossSums> {
    this.#requireIdle()
    const pixels = this.#keep(images)
    return this.#with([this.#heap.put(order)], ([places]) =>
      this.#losses((losses) =>
        this.#crew.call(
          'trainEpoch',
          pixels,
          images.length / this.#inputs,
          places!,
          order.length,
          epoch,
          losses,
        ),
      ),
    )
  }

  async trainBatch(clean: Float32Array, noisy: Float32Array): Promise<LossSums> {
    this.#requireIdle()
    const count = clean.length / this.#inputs
    return this.#with([this.#heap.put(clean), this.#heap.put(noisy)], ([cleanAt, noisyAt]) =>
      this.#losses((losses) => this.#crew.call('trainBatch', cleanAt!, noisyAt!, count, losses)),
    )
  }

  encode(images: Images): Promise<Float32Array> {
    return this.#infer('encode', images, this.#latent)
  }

  reconstruct(images: Images): Promise<Float32Array> {
    return this.#infer('reconstruct', images, this.#inputs)
  }

  async meanSquaredError(images: Images, noise: CoreNoise | null): Promise<number> {
    this.#requireIdle()
    const { seed, purpose, epoch, deviation } = noise ?? { seed: 0, purpose: 0, epoch: 0, deviation: 0 }
    return this.#with([this.#heap.put(images)], ([pixels]) =>
      this.#crew.call(
        'meanSquaredError',
        pixels!,
        ...this.#kindAndCount(images),
        seed,
        purpose,
        epoch,
        deviation,
      ),
    )
  }

  /** The memory goes with the last reference to it. */
  async dispose(): Promise<void> {
    this.#disposed = true
    Atomics.store(this.control, 0, 1)
    await this.#crew.end(new Error('the trainer has been disposed of'))
  }

  #create({ widths, penalties, batchNorm, adam, ...spec }: CoreSpec, threads: number): void {
    for (const width of widths) this.#exports.addWidth(width)
    for (const penalty of penalties) this.#addPenalty(penalty)
    const { learningRate, beta1, beta2, epsilon } = adam
    const layers = ['none', 'encoder', 'all'].indexOf(batchNorm)
    const { batchSize, seed, noise } = spec
    this.#exports.createTrainer(layers, learningRate, beta1, beta2, epsilon, batchSize, seed, noise, threads)
  }

  #addPenalty({ kind, weight, center, parameters }: EnginePenalty): void {
    this.#exports.addPenalty(this.#heap.putText(kind), weight, Number(center))
    for (const [name, value] of Object.entries(parameters)) {
      this.#exports.addPenaltyParameter(this.#heap.putText(name), value)
    }
  }

  #requireIdle(): void {
    if (this.#disposed) throw new Error('the trainer has been disposed of')
    if (this.#crew.busy) throw new Error('the trainer is still at work on another call')
  }

  #keep(images: Uint8Array): number {
    if (this.#kept?.images !== images) {
      if (this.#kept !== null) this.#heap.release(this.#kept.address)
      this.#kept = { images, address: this.#heap.put(images) }
    }
    return this.#kept.address
  }

  /** Releases the addresses when `use` is done. Where it fails, the memory is of no use any more. */
  async #with<T>(
    addresses: readonly number[],
    use: (addresses: readonly number[]) => Promise<T>,
  ): Promise<T> {
    const result = await use(addresses)
    for (const address of addresses) this.#heap.release(address)
    return result
  }

  #losses(train: (losses: number) => Promise<unknown>): Promise<LossSums> {
    return this.#with([this.#heap.allocate(5 * 8)], async ([address]) => {
      await train(address!)
      const numbers = this.#heap.doubles(address!, 5)
      const [squaredError, penalty, weighted, images, penaltyImages] = numbers as unknown as readonly [
        number,
        number,
        number,
        number,
        number,
      ]
      return { squaredError, penalty, weighted, images, penaltyImages }
    })
  }

  async #infer(name: 'encode' | 'reconstruct', images: Images, width: number): Promise<Float32Array> {
    this.#requireIdle()
    const [floats, count] = this.#kindAndCount(images)
    const output = this.#heap.allocate(4 * count * width)
    return this.#with([this.#heap.put(images), output], async ([pixels]) => {
      await this.#crew.call(name, pixels!, floats, count, output)
      return this.#heap.floats(output, count * width)
    })
  }

  #kindAndCount(images: Images): readonly [floats: number, count: number] {
    return [Number(images instanceof Float32Array), images.length / this.#inputs]
  }
}

/** Sizes in the module have 32 bits: one that is too large would wrap. This is a little less than what is needed. */
function requireRoom({ widths, batchSize }: CoreSpec): void {
  const mirrored = [...widths, ...widths.slice(0, -1).reverse()]
  const weights = widths.slice(1).reduce((sum, width, i) => sum + 2 * width * widths[i]!, 0)
  const activations = mirrored.reduce((sum, width) => sum + 3 * width, 8 * widths[1]!) // and partial sums
  const bytes = 4 * (3 * weights + batchSize * activations)
  if (bytes < maximalBytes) return
  throw new EigenaeError({
    what: `training needs ${(bytes / 2 ** 30).toFixed(1)} GB, and WebAssembly has 4`,
    where: 'device wasm',
    hint: 'Use --device cpu, a smaller batch or narrower layers.',
  })
}
