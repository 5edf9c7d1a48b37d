import type { Config } from '../config/schema.js'
import { engineEigenLoss } from '../eigen-losses/index.js'
import type { TrainerSpec } from '../engines/engine.js'

/** What a config says to an engine. */
export function trainerSpec(config: Config, threads: number): TrainerSpec {
  return {
    widths: config.model.widths,
    batchNorm: config.model.batchNorm,
    eigenLosses: config.loss.eigen === null ? [] : [engineEigenLoss(config.loss.eigen)],
    adam: config.optimizer,
    batchSize: config.train.batchSize,
    seed: config.seed,
    noise: config.data.noise,
    threads,
  }
}
