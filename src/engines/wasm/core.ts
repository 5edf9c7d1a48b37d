import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { packageRoot } from '../../package-root.js'

/** The data that a worker receives at its start. */
export interface WorkerTask {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  /** Index in the core's team. Thread 0 receives the calls; the others wait in the module for its work. */
  readonly thread: number
  /** End of this thread's stack, an address in `memory`. */
  readonly stackTop: number
}

export interface Call {
  readonly name: WasmCall
  readonly args: readonly number[]
}

export type Answer = { readonly value: number | undefined } | { readonly error: string }

type FunctionOfNumbers = (...numbers: readonly number[]) => number

/** The exports that take long and therefore run in a worker. */
export type WasmCall =
  | 'trainEpoch'
  | 'trainBatch'
  | 'encode'
  | 'inspect'
  | 'reconstruct'
  | 'meanSquaredError'
  | 'findNeighbours'
  | 'countProbeHits'
  | 'singularValues'
  | 'measureLayer'

export type NumberArray = Uint8Array | Uint32Array | Float32Array | Float64Array

type ShortCall = 'initialize' | 'allocate' | 'release' | 'createTrainer' | 'step'
type StateCall = 'setState' | 'getState' | 'beginCall' | 'stopCall' | 'serve'

/** The exports of native/wasm/exports.cc. Addresses are numbers; an address that is returned may be negative. */
interface WasmExports extends Readonly<Record<WasmCall | ShortCall | StateCall, FunctionOfNumbers>> {
  readonly __stack_pointer: { value: number }
  /** Returns the number of images in the lower half and the bits of the sum of their losses, a float32, in the upper half. */
  readonly progress: () => bigint
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

/** The compiled file, even if this module is loaded as TypeScript, because Node 20 cannot start a worker from TypeScript. */
const workerFile = join(packageRoot, 'dist', 'engines', 'wasm', 'worker.js')
const page = 2 ** 16
const initialBytes = 2 ** 21 // as scripts/compile-wasm.mjs declares
export const maximalBytes = 2 ** 32
const stackBytes = 2 ** 18

interface Pending {
  readonly resolve: (value: number) => void
  readonly reject: (error: Error) => void
}

/**
 * The core in a memory of its own, with a worker for each thread. The JavaScript thread also has an instance, for short
 * calls. It accesses the memory only while no call is running, except for `progress` and `stopCall`.
 */
export class WasmCore {
  readonly exports: WasmExports
  readonly #module: WebAssembly.Module
  readonly #memory: WebAssembly.Memory
  #workers: readonly Worker[] = []
  #pending: Pending | null = null
  #failure: Error | null = null

  constructor(module: WebAssembly.Module) {
    const pages = { initial: initialBytes / page, maximum: maximalBytes / page }
    this.#module = module
    this.#memory = new WebAssembly.Memory({ ...pages, shared: true })
    this.exports = instantiate(module, this.#memory)
    this.exports.initialize()
  }

  /** Starts the threads. */
  start(threads: number): void {
    this.#workers = Array.from({ length: threads }, (_, thread) => {
      const stackTop = this.allocate(stackBytes) + stackBytes
      const workerData: WorkerTask = { module: this.#module, memory: this.#memory, thread, stackTop }
      const worker = new Worker(workerFile, { workerData, execArgv: [] })
      worker.unref() // an idle core must not keep the process alive
      worker.on('message', (answer: Answer) => {
        if ('error' in answer) void this.end(new Error(answer.error))
        else this.#take()?.resolve(answer.value ?? 0)
      })
      worker.on('error', (error: Error) => this.end(error))
      return worker
    })
  }

  get busy(): boolean {
    return this.#pending !== null
  }

  /** Runs a call, one at a time. */
  call(name: WasmCall, ...args: readonly number[]): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    this.exports.beginCall()
    const call: Call = { name, args }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#workers[0]!.ref()
      this.#workers[0]!.postMessage(call)
    })
  }

  /** Terminates the threads. A call that is running fails with `reason`. The memory is freed with the last reference to it. */
  async end(reason: Error): Promise<void> {
    this.#failure ??= reason
    this.#take()?.reject(this.#failure)
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #take(): Pending | null {
    const pending = this.#pending
    this.#pending = null
    this.#workers[0]?.unref()
    return pending
  }

  /** Returns the address, a multiple of 64. @throws Error if there is not enough memory. */
  allocate(bytes: number): number {
    // Sizes in the module have 32 bits, and allocate rounds up.
    const address = bytes < maximalBytes - page ? this.exports.allocate(bytes) >>> 0 : 0
    if (address === 0)
      throw new Error(`out of memory: WebAssembly has 4 GB, and ${bytes} bytes more were needed`)
    return address
  }

  /** Copies an array into the memory. */
  put({ buffer, byteOffset, byteLength }: NumberArray): number {
    const address = this.allocate(byteLength)
    new Uint8Array(this.#memory.buffer).set(new Uint8Array(buffer, byteOffset, byteLength), address)
    return address
  }

  /** Returns a copy of `length` numbers at an address. */
  get<Values extends Float32Array | Float64Array | Int32Array>(
    type: new (buffer: ArrayBufferLike, address: number, length: number) => Values,
    address: number,
    length: number,
  ): Values {
    return new type(this.#memory.buffer, address, length).slice() as Values
  }

  /** Releases the addresses when `use` is done. If it fails, the core has failed, and its memory is not used again. */
  async with<T>(
    addresses: readonly number[],
    use: (...addresses: readonly number[]) => Promise<T>,
  ): Promise<T> {
    const result = await use(...addresses)
    for (const address of addresses) this.exports.release(address)
    return result
  }
}
