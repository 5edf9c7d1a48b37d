import { EigenaeError, usageError } from '../errors.js'
import { exportedNetwork } from '../exports/models/network.js'
import { latentDimension } from '../model/architecture.js'
import { layoutOf } from '../model/layout.js'
import type { TrainerState } from '../model/state.js'
import type { WholeRun } from '../runs/read.js'
import { principalDirections } from '../spectrum/principal-directions.js'
import { thousands } from '../text/format.js'
import { modelNote, onOneCore, readTrainedState, withTrainer } from '../training/trained-model.js'
import type { ChosenRun } from './chosen-runs.js'
import type { PageImages } from './images.js'
import type { PageRun } from './page-data.js'

/** A run's part of the page's data, and its numbers in the order that page-data.ts says. */
export interface RunData {
  readonly data: PageRun
  readonly floats: readonly Float32Array[]
  /** What to say of its model; null where it is the final one. */
  readonly note: string | null
}

const mostDimensions = 64

// 128 MB of float32: a browser still opens the page, and its text is far from the longest that JavaScript has.
const mostParameters = 2 ** 25

/** @throws a usage error where the run has no model, or one too large for a page. */
export async function runData({ run }: ChosenRun, { pixels }: PageImages): Promise<RunData> {
  const { model } = run.config
  const latent = latentDimension(model)
  refuseTooLarge(run, latent)
  const trained = readTrainedState(run)
  if (trained === null) {
    throw usageError({
      problem: 'has no trained model yet',
      subject: run.folder,
      hint: 'Train it first: eigenae train … --resume.',
    })
  }
  const embedding = await embeddingOf(run, trained.state, pixels)
  const { layers } = exportedNetwork(model, trained.state, { part: 'autoencoder', keepBatchNorm: false })
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
    note: modelNote({ run, ...trained }),
  }
}

function refuseTooLarge({ folder, config }: WholeRun, latent: number): void {
  if (latent > mostDimensions) {
    throw usageError({
      problem: `its embedding has ${latent} dimensions, a page has sliders for ${mostDimensions} at most`,
      subject: folder,
    })
  }
  const { parameterCount } = layoutOf(config.model)
  if (parameterCount > mostParameters) {
    throw usageError({
      problem: `its network has ${thousands(parameterCount)} parameters, a page holds ${thousands(mostParameters)} at most`,
      subject: folder,
    })
  }
}

async function embeddingOf(
  { folder, config }: WholeRun,
  state: TrainerState,
  pixels: Uint8Array,
): Promise<Float32Array> {
  const embedding = await withTrainer(config, state, onOneCore, (trainer) => trainer.encode(pixels))
  if (embedding.every(Number.isFinite)) return embedding
  throw new EigenaeError({
    problem: 'its embedding holds values that are no numbers: the training diverged',
    subject: folder,
    hint: 'Train it again with a smaller learning rate.',
  })
}
