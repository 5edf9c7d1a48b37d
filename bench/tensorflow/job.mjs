import { eigenLossKinds } from '../../dist/config/eigen-loss-kinds.js'

/** The eigen arm of configs/eigen.json. */
export const spec = {
  widths: [784, 128, 64, 12, 10],
  batchNorm: 'none',
  activation: 'relu',
  init: 'he-uniform',
  eigenLosses: [
    {
      formula: { text: eigenLossKinds['top-k'].formula, parameters: { k: 2 }, center: false },
      weight: 1,
      layers: [3],
      minimumImages: 11,
    },
  ],
  optimizer: {
    kind: 'adam',
    learningRate: 0.005,
    warmup: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    averaging: null,
  },
  batchSize: 64,
  seed: 0,
  noise: 0.2,
  threads: 2,
}

/** Returns bytes [count][784] with as many zeros as digits have. */
export function digits(count) {
  return Uint8Array.from({ length: count * 784 }, (_, i) => ((i * 7919) % 5 === 0 ? i % 256 : 0))
}
