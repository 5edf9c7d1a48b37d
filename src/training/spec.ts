import {
  type EigenLoss,
  eigenLossesOf,
  formulaOf,
  layerPositions,
  minimumImages,
} from '../config/eigen-losses.js'
import type { ScheduledConfig } from '../config/schedule.js'
import type { Config } from '../config/schema.js'
import type { EigenLossSpec, TrainerSpec } from '../engines/engine.js'
import type { Scheduled } from '../model/schedule.js'

/**
 * Translates a config for the engines.
 * @param images the number of training images, which gives the steps of an epoch and so the length of schedules
 */
export function trainerSpec(config: Config, images: number, threads: number): TrainerSpec {
  const { model, optimizer, train } = config
  const stepsPerEpoch = Math.ceil(images / train.batchSize)
  return {
    widths: model.widths,
    batchNorm: model.batchNorm,
    activation: model.activation,
    init: model.init,
    eigenLosses: eigenLossesOf(config.loss.eigen).map((eigenLoss) =>
      eigenLossSpec(eigenLoss, model.widths, stepsPerEpoch),
    ),
    optimizer: { ...optimizer, learningRate: inSteps(optimizer.learningRate, stepsPerEpoch) },
    batchSize: train.batchSize,
    seed: config.seed,
    noise: config.data.noise,
    threads,
  }
}

function eigenLossSpec(config: EigenLoss, widths: readonly number[], stepsPerEpoch: number): EigenLossSpec {
  return {
    formula: formulaOf(config),
    weight: inSteps(config.weight, stepsPerEpoch),
    layers: layerPositions(config.layers, widths.length),
    minimumImages: minimumImages(config, widths),
  }
}

function inSteps(scheduled: ScheduledConfig, stepsPerEpoch: number): Scheduled {
  if (typeof scheduled === 'number') return scheduled
  const { epochs, ...course } = scheduled
  return { ...course, steps: epochs * stepsPerEpoch }
}
