import { EigenaeError } from '../../errors.js'
import { innerWidths } from '../../model/architecture.js'
import type { TrainerState } from '../../model/state.js'
import type { CoreActivation, CoreEigenLoss, CoreSpec, CoreStepValues } from '../core-spec.js'
import type { CoreNoise, CoreProgress, CoreTrainer } from '../core-trainer.js'
import type { Images } from '../engine.js'
import type { LossSums, TermSums } from '../losses.js'
import {
  checkedBytes,
  checkedEpoch,
  checkedFloats,
  checkedImages,
  checkedNoise,
  checkedOrder,
  checkedSpec,
  checkedState,
  checkedStepValues,
  countImages,
  type StateCounts,
} from './door.js'
import { Heap, instantiate, type WasmCalls, type WasmExports } from './instance.js'
import { Team } from './team.js'

const page = 2 ** 16
const initialBytes = 2 ** 21 // as scripts/compile-wasm.mjs declares
const maximalBytes = 2 ** 32
const stackBytes = 2 ** 18

/** The number of slices in native/core/slices.h. More threads would only wait. */
const maximalThreads = 8

/** `Activation` in native/core/trainer.h. */
const activations: Readonly<Record<CoreActivation, number>> = { relu: 1, 'leaky-relu': 2, silu: 3 }

type StateArray = Exclude<keyof TrainerState, 'step'>

const noNoise: CoreNoise = { seed: 0, purpose: 0, epoch: 0, deviation: 0 }

/**
 * A trainer in a memory of its own. The JavaScript thread also has an instance, for short calls. It accesses the memory
 * only while no call is running, except for `progress` and `stop`.
 */
export class WasmTrainer implements CoreTrainer {
  readonly #exports: WasmExports
  readonly #heap: Heap
  readonly #team: Team
  readonly #inputs: number
  readonly #latent: number
  /** Sum of the hidden layers' widths. */
  readonly #hidden: number
  readonly #batchSize: number
  /** The number of eigen losses. */
  readonly #terms: number
  readonly #averaged: boolean
  /** The images to train on, in the module's memory. */
  readonly #images: { readonly count: number; readonly address: number }
  #disposed = false

  constructor(module: WebAssembly.Module, spec: CoreSpec, images: Uint8Array) {
    const checked = checkedSpec(spec)
    const bytes = checkedBytes(images, 'images')
    requireRoom(checked)
    const pages = { initial: initialBytes / page, maximum: maximalBytes / page }
    const memory = new WebAssembly.Memory({ ...pages, shared: true })
    const threads = Math.min(checked.threads, maximalThreads)
    this.#exports = instantiate(module, memory)
    this.#exports.initialize()
    this.#heap = new Heap(memory, this.#exports)
    this.#inputs = checked.widths[0]!
    this.#latent = checked.widths.at(-1)!
    this.#hidden = 2 * checked.widths.slice(1, -1).reduce((sum, width) => sum + width, 0)
    this.#batchSize = checked.batchSize
    this.#terms = checked.eigenLosses.length
    this.#averaged = checked.averaging !== null
    const count = countImages(bytes, 'images', this.#inputs)
    this.#create(checked, threads)
    this.#images = { count, address: this.#heap.put(bytes) }
    const stackTops = Array.from({ length: threads }, () => this.#heap.allocate(stackBytes) + stackBytes)
    this.#team = new Team(module, memory, stackTops)
  }

  setState(state: TrainerState): void {
    this.#requireIdle()
    const { step, ...arrays } = checkedState(state, this.#stateCounts())
    this.#requireIdle() // the state may have getters
    const lengths = this.#stateLengths()
    const numbers = new Float32Array(lengths.reduce((sum, [, length]) => sum + length, 0))
    let end = 0
    for (const [name, length] of lengths) {
      numbers.set(arrays[name], end)
      end += length
    }
    const address = this.#heap.put(numbers)
    this.#exports.setState(step, address)
    this.#heap.release(address)
  }

  getState(): TrainerState {
    this.#requireIdle()
    const lengths = this.#stateLengths()
    const total = lengths.reduce((sum, [, length]) => sum + length, 0)
    const address = this.#heap.allocate(4 * total)
    const step = this.#exports.getState(address)
    const numbers = this.#heap.floats(address, total)
    this.#heap.release(address)
    let end = 0
    const arrays = lengths.map(([name, length]) => {
      end += length
      return [name, numbers.slice(end - length, end)] as const
    })
    return { step, ...(Object.fromEntries(arrays) as Record<StateArray, Float32Array>) }
  }

  step(): number {
    this.#requireIdle()
    return this.#exports.step()
  }

  async trainEpoch(order: Uint32Array, epoch: number, values: CoreStepValues): Promise<LossSums> {
    const { address, count } = this.#images
    const places = checkedOrder(order, count)
    const number = checkedEpoch(epoch)
    const steps = Math.ceil(places.length / this.#batchSize)
    const { learningRates, weights } = checkedStepValues(values, steps, this.#terms)
    this.#requireIdle()
    const arrays = [places, learningRates, weights].map((array) => this.#heap.put(array))
    return this.#with(arrays, ([placesAt, rates, factors]) =>
      this.#losses((losses) =>
        this.#call('trainEpoch', address, count, placesAt!, places.length, number, rates!, factors!, losses),
      ),
    )
  }

  async trainBatch(clean: Float32Array, noisy: Float32Array, values: CoreStepValues): Promise<LossSums> {
    const [cleanValues, noisyValues] = [checkedFloats(clean, 'clean'), checkedFloats(noisy, 'noisy')]
    const count = countImages(cleanValues, 'clean', this.#inputs)
    if (count < 1 || count > this.#batchSize)
      throw new RangeError(`clean must be 1 to ${this.#batchSize} images`)
    if (noisyValues.length !== cleanValues.length)
      throw new RangeError('noisy must be as many images as clean')
    const { learningRates, weights } = checkedStepValues(values, 1, this.#terms)
    this.#requireIdle()
    const arrays = [cleanValues, noisyValues, learningRates, weights].map((array) => this.#heap.put(array))
    return this.#with(arrays, ([cleanAt, noisyAt, rates, factors]) =>
      this.#losses((losses) => this.#call('trainBatch', cleanAt!, noisyAt!, count, rates!, factors!, losses)),
    )
  }

  encode(images: Images): Promise<Float32Array> {
    return this.#infer('encode', images, this.#latent)
  }

  linearOutputs(images: Images): Promise<Float32Array> {
    return this.#infer('linearOutputs', images, this.#hidden)
  }

  reconstruct(images: Images): Promise<Float32Array> {
    return this.#infer('reconstruct', images, this.#inputs)
  }

  async meanSquaredError(images: Images, noise: CoreNoise | null): Promise<number> {
    const { seed, purpose, epoch, deviation } = checkedNoise(noise) ?? noNoise
    const values = checkedImages(images, this.#inputs)
    this.#requireIdle()
    return this.#with([this.#heap.put(values)], ([pixels]) => {
      const [floats, count] = this.#kindAndCount(values)
      return this.#call('meanSquaredError', pixels!, floats, count, seed, purpose, epoch, deviation)
    })
  }

  progress(): CoreProgress {
    this.#requireAlive()
    const halves = new BigUint64Array([this.#exports.progress()]).buffer
    return { images: new Uint32Array(halves)[0]!, loss: new Float32Array(halves)[1]! }
  }

  stop(): void {
    this.#requireAlive()
    this.#exports.stopCall()
  }

  /** The memory is freed with the last reference to it. */
  async dispose(): Promise<void> {
    this.#disposed = true
    this.#exports.stopCall()
    await this.#team.end(new Error('the trainer has been disposed of'))
  }

  #create(spec: CoreSpec, threads: number): void {
    const exports = this.#exports
    for (const width of spec.widths) exports.addWidth(width)
    for (const has of spec.batchNorm) exports.addBatchNorm(Number(has))
    for (const eigenLoss of spec.eigenLosses) this.#addEigenLoss(eigenLoss, innerWidths(spec.widths))
    exports.setActivation(activations[spec.activation], spec.slope)
    this.#setOptimizer(spec.optimizer)
    if (spec.averaging !== null) exports.setAveraging(spec.averaging)
    exports.createTrainer(spec.batchSize, spec.seed, spec.noise, threads)
  }

  #addEigenLoss({ center, layers, tapes, minimumImages }: CoreEigenLoss, widths: readonly number[]): void {
    this.#exports.addEigenLoss(Number(center), minimumImages)
    for (const [i, layer] of layers.entries()) {
      const { words, constants } = tapes[i]!
      const [at, constantsAt] = [this.#heap.put(words), this.#heap.put(constants)]
      const width = widths[layer]!
      try {
        this.#exports.addEigenLossLayer(layer, width, at, words.length, constantsAt, constants.length)
      } catch (error) {
        throw tapeError(error, width)
      }
      for (const address of [at, constantsAt]) this.#heap.release(address)
    }
  }

  #setOptimizer(optimizer: CoreSpec['optimizer']): void {
    if (optimizer.kind === 'sgd') {
      this.#exports.setSgd(optimizer.momentum, Number(optimizer.nesterov))
    } else {
      const { beta1, beta2, epsilon, weightDecay } = optimizer
      this.#exports.setAdam(beta1, beta2, epsilon, weightDecay)
    }
  }

  #stateCounts(): StateCounts {
    return {
      parameters: this.#exports.parameterCount(),
      statistics: this.#exports.runningStatisticCount(),
      averaged: this.#averaged,
    }
  }

  /** Returns the arrays of a state, in the order of native/wasm/exports.cc, with their lengths. */
  #stateLengths(): readonly (readonly [StateArray, number])[] {
    const { parameters, statistics, averaged } = this.#stateCounts()
    return [
      ['parameters', parameters],
      ['firstMoments', parameters],
      ['secondMoments', parameters],
      ['runningStatistics', statistics],
      ['averagedParameters', averaged ? parameters : 0],
      ['averagedStatistics', averaged ? statistics : 0],
    ]
  }

  #requireAlive(): void {
    if (this.#disposed) throw new Error('the trainer has been disposed of')
  }

  /** Must be called after all arguments have been read, because reading them may run a getter that calls this trainer. */
  #requireIdle(): void {
    this.#requireAlive()
    if (this.#team.busy) throw new Error('the trainer is still at work on another call')
  }

  #call<Name extends keyof WasmCalls>(name: Name, ...args: Parameters<WasmCalls[Name]>): Promise<number> {
    this.#exports.beginCall()
    return this.#team.call(name, ...args)
  }

  /** Releases the addresses when `use` is done. If it fails, the trainer has failed, and its memory is not used again. */
  async #with<T>(
    addresses: readonly number[],
    use: (addresses: readonly number[]) => Promise<T>,
  ): Promise<T> {
    const result = await use(addresses)
    for (const address of addresses) this.#heap.release(address)
    return result
  }

  #losses(train: (losses: number) => Promise<unknown>): Promise<LossSums> {
    const length = 3 * (1 + this.#terms)
    return this.#with([this.#heap.allocate(8 * length)], async ([address]) => {
      await train(address!)
      return lossSums(this.#heap.doubles(address!, length))
    })
  }

  async #infer(
    name: 'encode' | 'linearOutputs' | 'reconstruct',
    images: Images,
    width: number,
  ): Promise<Float32Array> {
    const values = checkedImages(images, this.#inputs)
    this.#requireIdle()
    const [floats, count] = this.#kindAndCount(values)
    const output = this.#heap.allocate(4 * count * width)
    return this.#with([this.#heap.put(values), output], async ([pixels]) => {
      await this.#call(name, pixels!, floats, count, output)
      return this.#heap.floats(output, count * width)
    })
  }

  #kindAndCount(images: Images): readonly [floats: number, count: number] {
    return [Number(images instanceof Float32Array), images.length / this.#inputs]
  }
}

/** Reads the numbers that native/wasm/exports.cc writes: three for all losses, then three for each eigen loss. */
function lossSums(numbers: Float64Array): LossSums {
  const [[loss, squaredError, images], ...terms] = Array.from({ length: numbers.length / 3 }, (_, i) =>
    numbers.subarray(3 * i, 3 * i + 3),
  ) as unknown as [Triple, ...Triple[]]
  return {
    ...{ loss, squaredError, images },
    terms: terms.map(([value, weighted, images]): TermSums => ({ value, weighted, images })),
  }
}

type Triple = readonly [number, number, number]

/**
 * Rejects a spec that needs more than the memory, by a lower bound of its size. Sizes in the module have 32 bits, so a size
 * that is too large would wrap around.
 */
function requireRoom({ widths, batchSize, averaging }: CoreSpec): void {
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

/** The module itself checks the formulas. */
function tapeError(error: unknown, width: number): unknown {
  if (!(error instanceof Error) || error.message.startsWith('out of memory')) return error
  return new RangeError(
    `spec.eigenLosses must have formulas of their layers, one of ${width} units: ${error.message}`,
  )
}
