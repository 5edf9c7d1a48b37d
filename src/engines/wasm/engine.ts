import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EigenaeError } from '../../errors.js'
import { inputDimension, latentDimension } from '../../model/architecture.js'
import { statePartsOf } from '../../model/state.js'
import { packageRoot } from '../../package-root.js'
import { type CoreTrainer, coreBackedTrainer, encodeSpec } from '../core.js'
import type { Engine, Images, TrainerSpec } from '../engine.js'
import { maximalBytes, type WasmCall, WasmCore } from './core.js'

/** The compiled modules, the fastest first. Node 20 has no relaxed SIMD; Node 22 and 24 run the first one. */
const variants = [
  { variant: 'relaxed-simd', file: 'eigenae-relaxed.wasm' },
  { variant: 'simd128', file: 'eigenae.wasm' },
] as const

type WasmVariant = (typeof variants)[number]['variant']

/** Returns the engine that runs the C++ core as WebAssembly. @throws EigenaeError if this Node cannot run it. */
export async function wasmEngine(): Promise<Engine> {
  const { variant, module, refusals } = await compiledModule()
  return {
    name: 'wasm',
    device: 'wasm',
    variant,
    origin: 'comes with the package',
    refusals,
    createTrainer: async (spec, images) => coreBackedTrainer(wasmTrainer(module, spec, images), spec, images),
  }
}

/** Returns the variant that wasmEngine would take, without compiling it, or null if this Node can run none. */
export function wasmVariant(): WasmVariant | null {
  try {
    return firstValid().variant
  } catch {
    return null
  }
}

/** @throws EigenaeError if this Node cannot run the core. */
export async function compiledModule() {
  const { bytes, ...facts } = firstValid()
  return { module: await WebAssembly.compile(bytes), ...facts }
}

function firstValid() {
  const refusals: string[] = []
  for (const { variant, file } of variants) {
    const bytes = readFileSync(join(packageRoot, 'native', 'wasm', file))
    if (WebAssembly.validate(bytes)) return { variant, bytes, refusals }
    refusals.push(`${variant}: Node ${process.version} does not run it`)
  }
  throw new EigenaeError({
    problem: `this Node (${process.version}) does not run the WebAssembly that the core was compiled to`,
    subject: 'device wasm',
    hint: 'It needs SIMD and threads: use an unmodified Node of version 20 or later.',
  })
}

/** The number of slices in native/core/slices.h. More threads would only wait. */
const maximalThreads = 8

/** Creates a trainer in a memory of its own, on the given images. */
function wasmTrainer(module: WebAssembly.Module, spec: TrainerSpec, trainingImages: Uint8Array): CoreTrainer {
  requireRoom(spec)
  const threads = Math.min(spec.threads, maximalThreads)
  const numbers = encodeSpec({ ...spec, threads })
  const core = new WasmCore(module)
  const specAt = core.put(numbers)
  core.exports.createTrainer(specAt, numbers.length)
  core.exports.release(specAt)
  const trainingImagesAt = core.put(trainingImages)
  core.start(threads)
  const inputs = inputDimension(spec)
  let disposed = false

  const requireAlive = () => {
    if (disposed) throw new Error('the trainer has been disposed of')
  }
  const requireIdle = () => {
    requireAlive()
    if (core.busy) throw new Error('the trainer is still at work on another call')
  }
  const kindAndCount = (images: Images) => [Number(images instanceof Float32Array), images.length / inputs]
  /** Calls `call` with the addresses of the arrays and the losses. */
  const train = async (
    arrays: readonly (Uint32Array | Float32Array | Float64Array)[],
    call: (...addresses: readonly number[]) => Promise<number>,
  ) => {
    requireIdle()
    const length = 3 * (1 + spec.eigenLosses.length)
    const addresses = arrays.map((array) => core.put(array))
    return core.with([...addresses, core.allocate(8 * length)], async (...all) => {
      await call(...all)
      return core.get(Float64Array, all.at(-1)!, length)
    })
  }
  const infer = async (name: WasmCall, images: Images, width: number) => {
    requireIdle()
    const length = (images.length / inputs) * width
    return core.with([core.put(images), core.allocate(4 * length)], async (pixels, output) => {
      await core.call(name, pixels!, ...kindAndCount(images), output!)
      return core.get(Float32Array, output!, length)
    })
  }

  return {
    setState: (step, state) => {
      requireIdle()
      const address = core.put(state)
      core.exports.setState(step, address)
      core.exports.release(address)
    },
    getState: (into) => {
      requireIdle()
      const address = core.allocate(4 * into.length)
      core.exports.getState(address)
      into.set(core.get(Float32Array, address, into.length))
      core.exports.release(address)
    },
    step: () => {
      requireIdle()
      return core.exports.step()
    },
    trainEpoch: (order, epoch, values) =>
      train([order, values], (orderAt, valuesAt, lossesAt) => {
        const images = [trainingImagesAt, trainingImages.length / inputs] as const
        const steps = Math.ceil(order.length / spec.batchSize)
        return core.call('trainEpoch', ...images, orderAt!, order.length, epoch, valuesAt!, steps, lossesAt!)
      }),
    trainBatch: (clean, noisy, values) =>
      train([clean, noisy, values], (cleanAt, noisyAt, ...others) =>
        core.call('trainBatch', cleanAt!, noisyAt!, clean.length / inputs, ...others),
      ),
    encode: (images) => infer('encode', images, latentDimension(spec)),
    inspect: async (images, rows, withError, into) => {
      requireIdle()
      return core.with([core.put(images), core.allocate(4 * into.length)], async (pixels, values) => {
        const error = await core.call(
          'inspect',
          pixels!,
          ...kindAndCount(images),
          rows,
          Number(withError),
          values!,
        )
        into.set(core.get(Float32Array, values!, into.length))
        return error
      })
    },
    reconstruct: (images) => infer('reconstruct', images, inputs),
    meanSquaredError: async (images, noise) => {
      requireIdle()
      const { seed, deviation } = noise ?? { seed: 0, deviation: 0 }
      return core.with([core.put(images)], (pixels) =>
        core.call('meanSquaredError', pixels!, ...kindAndCount(images), seed, deviation),
      )
    },
    progress: () => {
      requireAlive()
      const halves = new BigUint64Array([core.exports.progress()]).buffer
      return { images: new Uint32Array(halves)[0]!, loss: new Float32Array(halves)[1]! }
    },
    stop: () => {
      requireAlive()
      core.exports.stopCall()
    },
    dispose: async () => {
      disposed = true
      core.exports.stopCall()
      await core.end(new Error('the trainer has been disposed of'))
    },
  }
}

/**
 * Rejects a spec that needs more than the memory, by a lower bound of its size. Sizes in the module have 32 bits, so a size
 * that is too large would wrap around.
 */
function requireRoom(spec: TrainerSpec): void {
  const { widths, batchSize } = spec
  const mirrored = [...widths, ...widths.slice(0, -1).reverse()]
  const state = statePartsOf(spec).reduce((sum, { length }) => sum + length, 0)
  const activations = mirrored.reduce((sum, width) => sum + 3 * width, 8 * widths[1]!) // and partial sums
  const bytes = 4 * (state + batchSize * activations)
  if (bytes < maximalBytes) return
  throw new EigenaeError({
    problem: `training needs ${(bytes / 2 ** 30).toFixed(1)} GB, and WebAssembly has 4`,
    subject: 'device wasm',
    hint: 'Use --device cpu, a smaller batch or narrower layers.',
  })
}
