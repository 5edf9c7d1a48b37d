import { readFile, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { Trainer } from '../../src/engines/engine.js'
import { layoutOf, tensorValues } from '../../src/model/layout.js'
import { runFiles } from '../../src/runs/files.js'
import { readWholeRun } from '../../src/runs/read.js'
import { decodeSafetensors, encodeSafetensors } from '../../src/runs/safetensors.js'
import { principalDirections } from '../../src/spectrum/principal-directions.js'
import { onOneCore, readTrainedState, withTrainer } from '../../src/training/trained-model.js'
import { eigenae, trainArgs } from './cli.js'
import { sealRun } from './seal.js'

type Arguments = readonly [config: string, folder: string, ...settings: readonly string[]]

const arms = {
  none: ['baseline.json', 'none/seed-0', 'model.activation=leaky-relu'],
  // A name that looks like HTML must be shown as text.
  '<i>norm': ['eigen.json', '<i>norm/seed-0', 'model.batchNorm=all', 'model.activation=silu'],
  'latent-64': ['baseline.json', 'latent-64', 'model.widths=[784,32,64]'],
  'latent-1': ['baseline.json', 'latent-1', 'model.widths=[784,32,1]'],
} as const satisfies Readonly<Record<string, Arguments>>

/** Trains short runs, with an embedding of 6 dimensions unless their settings name another. */
export async function trainSmall(
  scratch: (folder: string) => string,
  names: readonly (keyof typeof arms)[],
): Promise<void> {
  const small = ['data.limit=300', 'train.epochs=1', 'model.widths=[784,32,6]']
  const trained = await Promise.all(
    names.map((name) => {
      const [config, folder, ...settings] = arms[name]
      return eigenae(trainArgs(config, scratch(folder), ...small, ...settings))
    }),
  )
  expect(trained.map(({ code }) => code)).toEqual(names.map(() => 0))
}

/** Makes some dimensions of the embedding equal for all images. */
export async function killDimensions(run: string, dimensions: readonly number[]): Promise<void> {
  const { model } = runFiles(run)
  const file = decodeSafetensors(await readFile(model), model)
  const { shape, values } = file.tensors.get('encoder.1.weight')!
  for (const dimension of dimensions) values.fill(0, dimension * shape[1]!, (dimension + 1) * shape[1]!)
  await writeFile(model, encodeSafetensors(file))
  sealRun(run)
}

/** Calls `use` with a trainer that holds a run's model. */
export async function withModel<T>(run: string, use: (trainer: Trainer) => Promise<T>): Promise<T> {
  const whole = await readWholeRun(run)
  const trained = readTrainedState(whole)
  return withTrainer(whole.config, trained!.state, onOneCore, use)
}

/** Returns an embedding's position along a principal direction of the images, in standard deviations. */
export function deviations(
  run: string,
  pixels: Uint8Array,
  embedding: readonly number[],
  direction: number,
): Promise<number> {
  return withModel(run, async (trainer) => {
    const encoded = await trainer.encode(pixels)
    const { mean, directions } = principalDirections(encoded, embedding.length)
    const { vector, deviation } = directions[direction]!
    return embedding.reduce((sum, value, j) => sum + (value - mean[j]!) * vector[j]!, 0) / deviation
  })
}

/** Decodes an embedding with the engine, whose encoder is changed to map every image to it. */
export async function decodedByEngine(run: string, embedding: readonly number[]): Promise<Float32Array> {
  const { config } = await readWholeRun(run)
  return withModel(run, async (trainer) => {
    const state = await trainer.exportState()
    const norm = config.model.batchNorm === 'all'
    const last = layoutOf(config.model).parameters.filter(({ name }) => name.startsWith('encoder.1.'))
    for (const tensor of last) {
      const values = tensorValues(tensor, state.parameters)
      if (tensor.kind === (norm ? 'beta' : 'bias')) values.set(embedding)
      else values.fill(0)
    }
    await trainer.importState(state)
    return trainer.reconstruct(new Float32Array(config.model.widths[0]!))
  })
}
