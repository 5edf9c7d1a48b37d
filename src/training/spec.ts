import type { Config } from '../config/schema.js'
import type { TrainerSpec } from '../engines/engine.js'
import { enginePenalty } from '../model/penalties/index.js'

/** What a config says to an engine. */
export function trainerSpec(config: Config, threads: number): TrainerSpec {
  return {
    architecture: config.model,
    penalties: config.loss.eigen === null ? [] : [enginePenalty(config.loss.eigen)],
    adam: config.optimizer,
    batchSize: config.train.batchSize,
    seed: config.seed,
    noise: config.data.noise,
    threads,
  }
}
