/** The eigen arm of configs/eigen.json. */
export const spec = {
  widths: [784, 128, 64, 12, 10],
  batchNorm: 'none',
  eigenLosses: [{ kind: 'top-k', weight: 1, center: false, parameters: { k: 2 } }],
  adam: { learningRate: 0.005, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  batchSize: 64,
  seed: 0,
  noise: 0.2,
  threads: 2,
}

/** Returns bytes [count][784] with as many zeros as digits have. */
export function digits(count) {
  return Uint8Array.from({ length: count * 784 }, (_, i) => ((i * 7919) % 5 === 0 ? i % 256 : 0))
}
