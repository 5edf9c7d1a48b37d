/** native/wasm/exports.cc as JavaScript sees it. Addresses are numbers; those that are returned may come negative. */
export interface WasmExports extends WasmCalls {
  readonly __stack_pointer: { value: number }
  readonly initialize: () => void
  readonly allocate: (bytes: number) => number
  readonly release: (address: number) => void
  readonly addWidth: (width: number) => void
  readonly addEigenLoss: (kind: number, weight: number, center: number) => void
  readonly addEigenLossParameter: (name: number, value: number) => void
  readonly createTrainer: (
    batchNorm: number,
    learningRate: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    batchSize: number,
    seed: number,
    noise: number,
    threads: number,
  ) => void
  readonly parameterCount: () => number
  readonly runningStatisticCount: () => number
  readonly setState: (step: number, numbers: number) => void
  readonly getState: (numbers: number) => number
  /** Before a call of WasmCalls; the next two while it runs. */
  readonly beginCall: () => void
  readonly stopCall: () => void
  /** The images in the lower half, the bits of their losses' sum, a float32, in the upper one. */
  readonly progress: () => bigint
  readonly serve: (member: number) => never
}

/** What takes long, and runs in a worker. */
export interface WasmCalls {
  readonly trainEpoch: (
    bytes: number,
    imageCount: number,
    order: number,
    count: number,
    epoch: number,
    losses: number,
  ) => void
  readonly trainBatch: (clean: number, noisy: number, count: number, losses: number) => void
  readonly encode: (pixels: number, floats: number, count: number, embedding: number) => void
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

/** One thread's view of the module on the memory that all share. */
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
  const copy = bytes.slice(address, bytes.indexOf(0, address)) // no text is decoded from shared memory
  return new TextDecoder().decode(copy)
}
