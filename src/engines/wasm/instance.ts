/** The exports of native/wasm/exports.cc. Addresses are numbers; an address that is returned may be negative. */
export interface WasmExports extends WasmCalls {
  readonly __stack_pointer: { value: number }
  readonly initialize: () => void
  readonly allocate: (bytes: number) => number
  readonly release: (address: number) => void
  readonly addWidth: (width: number) => void
  readonly addBatchNorm: (has: number) => void
  readonly addEigenLoss: (center: number, minimumImages: number) => void
  readonly addEigenLossLayer: (
    position: number,
    width: number,
    words: number,
    wordCount: number,
    constants: number,
    constantCount: number,
  ) => void
  readonly setActivation: (activation: number, slope: number) => void
  readonly setAdam: (beta1: number, beta2: number, epsilon: number, weightDecay: number) => void
  readonly setSgd: (momentum: number, nesterov: number) => void
  readonly setAveraging: (decay: number) => void
  readonly createTrainer: (batchSize: number, seed: number, noise: number, threads: number) => void
  readonly parameterCount: () => number
  readonly runningStatisticCount: () => number
  readonly step: () => number
  readonly setState: (step: number, numbers: number) => void
  readonly getState: (numbers: number) => number
  /** Must precede a call of WasmCalls. The next two may be called while it runs. */
  readonly beginCall: () => void
  readonly stopCall: () => void
  /** Returns the number of images in the lower half and the bits of the sum of their losses, a float32, in the upper half. */
  readonly progress: () => bigint
  readonly serve: (thread: number) => never
}

/** The exports that take long and therefore run in a worker. */
export interface WasmCalls {
  readonly trainEpoch: (
    bytes: number,
    imageCount: number,
    order: number,
    count: number,
    epoch: number,
    learningRates: number,
    weights: number,
    losses: number,
  ) => void
  readonly trainBatch: (
    clean: number,
    noisy: number,
    count: number,
    learningRates: number,
    weights: number,
    losses: number,
  ) => void
  readonly encode: (pixels: number, floats: number, count: number, embedding: number) => void
  readonly linearOutputs: (pixels: number, floats: number, count: number, outputs: number) => void
  readonly reconstruct: (pixels: number, floats: number, count: number, output: number) => void
  readonly meanSquaredError: (
    pixels: number,
    floats: number,
    count: number,
    seed: number,
    purpose: number,
    epoch: number,
    deviation: number,
  ) => number
}

/** Creates one thread's instance of the module on the memory that all threads share. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): WasmExports {
  const fail = (message: number) => {
    const text = textAt(memory, message >>> 0)
    throw new Error(text === 'std::bad_alloc' ? 'out of memory: WebAssembly has 4 GB' : text)
  }
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, host: { fail } })
  return exports as unknown as WasmExports
}

function textAt(memory: WebAssembly.Memory, address: number): string {
  const bytes = new Uint8Array(memory.buffer)
  const copy = bytes.slice(address, bytes.indexOf(0, address)) // TextDecoder rejects shared memory
  return new TextDecoder().decode(copy)
}

/** Slightly less than the memory, because sizes in the module have 32 bits and allocate rounds up. */
const maximalBytes = 2 ** 32 - 2 ** 16

/** Copies numbers into and out of the module's memory. */
export class Heap {
  readonly #memory: WebAssembly.Memory
  readonly #exports: WasmExports

  constructor(memory: WebAssembly.Memory, exports: WasmExports) {
    this.#memory = memory
    this.#exports = exports
  }

  /** Returns the address, a multiple of 64. @throws Error if there is not enough memory. */
  allocate(bytes: number): number {
    const address = bytes < maximalBytes ? this.#exports.allocate(bytes) >>> 0 : 0
    if (address === 0)
      throw new Error(`out of memory: WebAssembly has 4 GB, and ${bytes} bytes more were needed`)
    return address
  }

  release(address: number): void {
    this.#exports.release(address)
  }

  put(values: Uint8Array | Uint32Array | Float32Array | Float64Array): number {
    const address = this.allocate(values.byteLength)
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    new Uint8Array(this.#memory.buffer).set(bytes, address)
    return address
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length).slice()
  }

  doubles(address: number, length: number): Float64Array {
    return new Float64Array(this.#memory.buffer, address, length).slice()
  }
}
