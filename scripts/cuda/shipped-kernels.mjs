// The kernels whose PTX comes with the package: those of the default widths and batch size, for each kind of batch norm in
// configs/ and for the shared memory of the cards there are. NVRTC compiles any other kernel when it is first used.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { encodeSpec } from '../../dist/engines/core.js'
import { kernelKey } from '../../dist/engines/cuda/kernel.js'
import { loadNativeBinding } from '../../dist/engines/native/binding.js'
import { typicalNetwork } from '../../dist/engines/typical-network.js'

export const shippedFolder = join(import.meta.dirname, '../../native/cuda/ptx')

const batchNorms = ['none', 'all', 'encoder']

// Bytes that a thread block can opt in to, by compute capability.
const sharedMemories = [
  { bytes: 227 * 1024, capabilities: '9.0, 10.0' },
  { bytes: 163 * 1024, capabilities: '8.0' },
  { bytes: 99 * 1024, capabilities: '8.6, 8.9, 12.0' },
  { bytes: 96 * 1024, capabilities: '7.0' },
  { bytes: 64 * 1024, capabilities: '7.5' },
]

/** Returns { key, options, sharedBytes, file, uses } of each kernel, without duplicates. `uses` are texts for tables. */
export function shippedKernels() {
  const { cuda } = loadNativeBinding().binding
  const kernels = new Map()
  for (const batchNorm of batchNorms) {
    for (const { bytes, capabilities } of sharedMemories) {
      const { refusal, options, sharedBytes } = cuda.planKernel(
        encodeSpec({ ...typicalNetwork, batchNorm }),
        bytes,
      )
      if (refusal !== null) continue
      const key = kernelKey(options)
      const kernel = kernels.get(key) ?? {
        key,
        options,
        sharedBytes,
        file: join(shippedFolder, `${key}.ptx.br`),
        uses: [],
      }
      kernel.uses.push(`batch norm ${batchNorm}, compute capability ${capabilities}`)
      kernels.set(key, kernel)
    }
  }
  return [...kernels.values()]
}

/** Returns the PTX, or null if there is no file. */
export function readShipped({ file }) {
  try {
    return brotliDecompressSync(readFileSync(file)).toString()
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}
