import type { Trainer } from '../engines/engine.js'
import { EigenaeError, usageError } from '../errors.js'
import { exportedNetwork } from '../exports/models/network.js'
import { latentDimension } from '../model/architecture.js'
import { layoutOf } from '../model/layout.js'
import { principalDirections } from '../spectrum/principal-directions.js'
import { thousands } from '../terminal/numbers.js'
import { withTrainedModel } from '../training/trained-model.js'
import type { ChosenRun } from './chosen-runs.js'
import type { PageImages } from './images.js'
import type { PageRun } from './page-data.js'

/** A run's part of the page's data, and its numbers in the order that page-data.ts says. */
export interface RunData {
  readonly data: PageRun
  readonly floats: readonly Float32Array[]
}

const mostDimensions = 64

// 128 MB of float32: a browser still opens the page, and its text is far from the longest that JavaScript has.
const mostParameters = 2 ** 25

/** @throws a usage error where the run has no model, or one too large for a page. */
export async function runData({ run }: ChosenRun, images: PageImages): Promise<RunData> {
  const latent = latentDimension(run.config.model)
  if (latent > mostDimensions) {
    throw usageError({
      what: `its embedding has ${latent} dimensions, a page has sliders for ${mostDimensions} at most`,
      where: run.folder,
    })
  }
  const { parameterCount } = layoutOf(run.config.model)
  if (parameterCount > mostParameters) {
    throw usageError({
      what: `its network has ${thousands(parameterCount)} parameters, a page holds ${thousands(mostParameters)} at most`,
      where: run.folder,
    })
  }
  const data = await withTrainedModel(run.folder, run.config, (trainer) => dataOf(trainer, run, images))
  if (data !== null) return data
  throw usageError({
    what: 'has no trained model yet',
    where: run.folder,
    mend: 'Train it first: eigenae train … --resume.',
  })
}

async function dataOf(trainer: Trainer, run: ChosenRun['run'], { pixels }: PageImages): Promise<RunData> {
  const { model } = run.config
  const latent = latentDimension(model)
  const embedding = await trainer.encode(pixels)
  if (!embedding.every(Number.isFinite)) {
    throw new EigenaeError({
      what: 'its embedding holds values that are no numbers: the training diverged',
      where: run.folder,
      mend: 'Train it again with a smaller learning rate.',
    })
  }
  const state = await trainer.exportState()
  const { layers } = exportedNetwork(model, state, { part: 'autoencoder', keepBatchNorm: false })
  const { mean, directions, coordinates } = principalDirections(embedding, latent)
  return {
    data: {
      layers: layers.map(({ inputs, outputs, activation }) => ({ inputs, outputs, activation })),
      encoderLayers: layers.length / 2,
      latent,
      mean,
      directions,
    },
    floats: [...layers.flatMap(({ weight, bias }) => [weight, bias]), Float32Array.from(coordinates)],
  }
}
