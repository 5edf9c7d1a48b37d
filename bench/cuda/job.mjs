import { eigenLossKinds } from '../../dist/config/eigen-loss-kinds.js'
import { typicalNetwork } from '../../dist/engines/self-check.js'
import { philox4x32 } from '../../dist/model/random.js'

const formula = (kind, parameters, center) => ({ text: eigenLossKinds[kind].formula, parameters, center })
const entropy = {
  formula: formula('entropy', {}, true),
  weight: 0.1,
  layers: [3],
  minimumImages: 1,
}
const topK = {
  formula: formula('top-k', { k: 2 }, false),
  weight: 1,
  layers: [3],
  minimumImages: 11,
}

/** The experiment's arms, and one with what they leave out. */
export const arms = {
  none: typicalNetwork,
  eigen: { ...typicalNetwork, eigenLosses: [topK] },
  'batch-norm': { ...typicalNetwork, batchNorm: 'all' },
  'all-at-once': {
    ...typicalNetwork,
    batchNorm: 'all',
    eigenLosses: [topK, entropy],
    optimizer: { ...typicalNetwork.optimizer, averaging: { kind: 'ema', decay: 0.99 } },
  },
}

/** Returns bytes that resemble digits: mostly black. */
export function digits(count) {
  return Uint8Array.from({ length: count * 784 }, (_, i) => {
    const [word] = philox4x32([i, 0, 0, 0], [1, 0])
    return word % 5 === 0 ? word % 256 : 0
  })
}
