import type { WasmExports } from './instance.js'

/** A little less than the memory: sizes in the module have 32 bits, and allocate rounds up. */
const maximalBytes = 2 ** 32 - 2 ** 16

/** Numbers in and out of the module's memory. */
export class Heap {
  readonly #memory: WebAssembly.Memory
  readonly #exports: WasmExports

  constructor(memory: WebAssembly.Memory, exports: WasmExports) {
    this.#memory = memory
    this.#exports = exports
  }

  /** @returns the address, a multiple of 64. */
  allocate(bytes: number): number {
    const address = bytes < maximalBytes ? this.#exports.allocate(bytes) >>> 0 : 0
    if (address === 0)
      throw new Error(`out of memory: WebAssembly has 4 GB, and ${bytes} bytes more were needed`)
    return address
  }

  release(address: number): void {
    this.#exports.release(address)
  }

  put(values: Uint8Array | Uint32Array | Float32Array): number {
    const address = this.allocate(values.byteLength)
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    new Uint8Array(this.#memory.buffer).set(bytes, address)
    return address
  }

  putText(text: string): number {
    return this.put(new TextEncoder().encode(`${text}\0`))
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length).slice()
  }

  doubles(address: number, length: number): Float64Array {
    return new Float64Array(this.#memory.buffer, address, length).slice()
  }
}
