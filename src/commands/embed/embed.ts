import { availableParallelism } from 'node:os'
import type { ImageSet } from '../../data/idx.js'
import type { Trainer } from '../../engines/engine.js'
import { embeddingFormatOf, writeEmbedding } from '../../exports/embeddings.js'
import { latentDimension } from '../../model/architecture.js'
import { evaluationNoise } from '../../model/random.js'
import { runNamed } from '../../runs/find.js'
import { writeResult } from '../../text/output.js'
import { readTrainedRun, withTrainer } from '../../training/trained-model.js'
import { loadDataFor, sourceOfRun } from '../../training/training-data.js'
import { chosenImages } from '../shared/chosen-images.js'
import { sayWhichModel } from '../shared/trained-run.js'
import type { EmbedFlags } from './index.js'

/** Puts images through a run's encoder and writes where they come out; the files' names go to stdout. */
export async function embed(folder: string, flags: EmbedFlags): Promise<void> {
  const format = embeddingFormatOf(flags.out, flags.overwrite)
  const trained = await readTrainedRun(await runNamed(folder, 'embed'))
  const { config } = trained.run
  const source = flags.data ?? sourceOfRun(trained.run)
  const where = flags.data === undefined ? `data.source ${source}` : '--data'
  const { images, labels } = chosenImages(await loadDataFor(config.model, source, where), flags)
  sayWhichModel(trained)
  const place = { device: flags.device, threads: flags.threads ?? availableParallelism() }
  const latent = latentDimension(config.model)
  const values = await withTrainer(config, trained.state, place, (trainer) =>
    encode(trainer, images, flags.noise, latent),
  )
  const embedding = { values, labels, latent }
  for (const file of await writeEmbedding(format, flags.out, embedding)) writeResult(file)
}

// Noisy pixels are fp32: four times the memory of the images.
const noisyAtOnce = 2000

async function encode(
  trainer: Trainer,
  images: ImageSet,
  deviation: number,
  latent: number,
): Promise<Float32Array> {
  if (deviation === 0) return trainer.encode(images.pixels)
  const values = new Float32Array(images.count * latent)
  for (let first = 0; first < images.count; first += noisyAtOnce) {
    const end = Math.min(first + noisyAtOnce, images.count)
    values.set(await trainer.encode(noisyImages(images, first, end, deviation)), first * latent)
  }
  return values
}

function noisyImages(images: ImageSet, first: number, end: number, deviation: number): Float32Array {
  const { pixels, pixelsPerImage: size } = images
  const noisy = new Float32Array((end - first) * size)
  for (let image = first; image < end; image++) {
    const noise = evaluationNoise(image, size, deviation)
    const [from, to] = [image * size, (image - first) * size]
    for (let i = 0; i < size; i++) noisy[to + i] = pixels[from + i]! / 255 + noise[i]!
  }
  return noisy
}
