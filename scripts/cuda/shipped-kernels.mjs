// The kernels whose PTX comes with the package: those of the default widths and batch size, for each kind of batch norm in
// configs/ and for the cards of cards.mjs. NVRTC compiles any other kernel when it is first used.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { kernelKey } from '../../dist/engines/cuda/kernel.js'
import { cards, planOn } from './cards.mjs'

export const shippedFolder = join(import.meta.dirname, '../../native/cuda/ptx')

const batchNorms = ['none', 'all', 'encoder']

/** Returns { key, options, sharedBytes, file, uses } of each kernel, without duplicates. `uses` are texts for tables. */
export function shippedKernels() {
  const kernels = new Map()
  for (const batchNorm of batchNorms) {
    for (const card of cards) {
      const { refusal, options, sharedBytes } = planOn(card, batchNorm)
      if (refusal !== null) continue
      const key = kernelKey(options)
      const file = join(shippedFolder, `${key}.ptx.gz`)
      const kernel = kernels.get(key) ?? { key, options, sharedBytes, file, uses: [] }
      const use = `batch norm ${batchNorm}, compute capability ${card.capability}`
      if (!kernel.uses.includes(use)) kernel.uses.push(use)
      kernels.set(key, kernel)
    }
  }
  return [...kernels.values()]
}

/** Returns the PTX, or null if there is no file. */
export function readShipped({ file }) {
  try {
    return gunzipSync(readFileSync(file)).toString()
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}
