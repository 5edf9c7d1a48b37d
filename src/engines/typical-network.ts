import type { TrainerSpec } from './engine.js'

/** The network of a config that only has a name: an engine is opened for it if no other network is known. */
export const typicalNetwork: TrainerSpec = {
  widths: [784, 128, 64, 12, 10],
  batchNorm: 'none',
  activation: 'relu',
  init: 'he-uniform',
  eigenLosses: [],
  optimizer: {
    kind: 'adam',
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    learningRate: 0.005,
    warmup: 0,
  },
  averaging: null,
  batchSize: 64,
  seed: 0,
  noise: 0.2,
  threads: 1,
}
