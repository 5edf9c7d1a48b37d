import { configSchema } from '../config/schema.js'
import type { TrainerSpec } from './engine.js'

/** The network of a config that only has a name: an engine is opened for it if no other network is known. */
export const typicalNetwork: TrainerSpec = {
  widths: [784, 128, 64, 12, 10],
  batchNorm: 'none',
  activation: 'relu',
  init: 'he-uniform',
  eigenLosses: [],
  optimizer: { ...configSchema.shape.optimizer.parse({}), learningRate: 0.005 },
  batchSize: 64,
  seed: 0,
  noise: 0.2,
  threads: 1,
}
