// The cards of the table in docs/gpu.md, for which the package has kernels.
import { encodeSpec } from '../../dist/engines/core.js'
import { loadNativeBinding } from '../../dist/engines/native/binding.js'
import { typicalNetwork } from '../../dist/engines/self-check.js'

// That a thread block can opt in to, by compute capability: CUDA C++ Programming Guide 12.9, "Compute Capabilities", table
// "Technical Specifications per Compute Capability".
const sharedKilobytes = {
  '7.0': 96,
  7.5: 64,
  '8.0': 163,
  8.6: 99,
  8.9: 99,
  '9.0': 227,
  '10.0': 227,
  '12.0': 99,
}

/**
 * { name, capability, multiprocessors, sharedBytes } of each. The multiprocessors are those of NVIDIA's architecture
 * whitepapers and data sheets: CUDA cores / 64 up to capability 8.0, then / 128.
 */
export const cards = [
  { name: 'B200', capability: '10.0', multiprocessors: 148 },
  { name: 'H100 SXM, H200', capability: '9.0', multiprocessors: 132 },
  { name: 'H100 PCIe', capability: '9.0', multiprocessors: 114 },
  { name: 'A100, 40 or 80 GB', capability: '8.0', multiprocessors: 108 },
  { name: 'L40S', capability: '8.9', multiprocessors: 142 },
  { name: 'L4', capability: '8.9', multiprocessors: 58 },
  { name: 'A10', capability: '8.6', multiprocessors: 72 },
  { name: 'V100', capability: '7.0', multiprocessors: 80 },
  { name: 'T4', capability: '7.5', multiprocessors: 40 },
  { name: 'GeForce RTX 5090', capability: '12.0', multiprocessors: 170 },
  { name: 'GeForce RTX 4090', capability: '8.9', multiprocessors: 128 },
  { name: 'GeForce RTX 4070', capability: '8.9', multiprocessors: 46 },
  { name: 'GeForce RTX 4060', capability: '8.9', multiprocessors: 24 },
  { name: 'GeForce RTX 3090', capability: '8.6', multiprocessors: 82 },
  { name: 'GeForce RTX 3060', capability: '8.6', multiprocessors: 28 },
  { name: 'GeForce RTX 2080 Ti', capability: '7.5', multiprocessors: 68 },
].map((card) => ({ ...card, sharedBytes: sharedKilobytes[card.capability] * 1024 }))

/** Returns how a card trains the default network, or why it cannot. */
export function planOn({ sharedBytes, multiprocessors }, batchNorm) {
  const { cuda } = loadNativeBinding().binding
  return cuda.planKernel(encodeSpec({ ...typicalNetwork, batchNorm }), sharedBytes, multiprocessors)
}

/** Returns the table of docs/gpu.md as rows of cells. */
export function cardTable() {
  return [
    ['card', 'compute capability', 'multiprocessors', 'shared memory', 'default network', 'with batch norm'],
    ...cards.map((card) => [
      card.name,
      card.capability,
      String(card.multiprocessors),
      `${card.sharedBytes / 1024} KB`,
      trainingOn(card, 'none'),
      trainingOn(card, 'all'),
    ]),
  ]
}

/** A multiprocessor holds one block: `limits` in check-machine-code.mjs. */
function trainingOn(card, batchNorm) {
  const { refusal, blocks } = planOn(card, batchNorm)
  if (refusal !== null) return refusal.replace(/^a network that/, 'no:')
  const atOnce = Math.floor(card.multiprocessors / blocks)
  return `${blocks} blocks, ${atOnce} ${atOnce === 1 ? 'model' : 'models'}`
}
