import { Command } from 'commander'
import type { ImageSet } from '../data/idx.js'
import type { Trainer } from '../engines/engine.js'
import { embeddingFormatOf, writeEmbedding } from '../exports/embeddings.js'
import { latentDimension } from '../model/architecture.js'
import { evaluationNoise } from '../model/random.js'
import { runNamed } from '../runs/find.js'
import { writeResult } from '../text/output.js'
import { readTrainedRun, withTrainer } from '../training/trained-model.js'
import { loadDataFor } from '../training/training-data.js'
import {
  chosenImages,
  computeOptions,
  dataOption,
  deviation,
  deviceOption,
  type FlagsOf,
  splitOption,
  threadsOption,
  wholeNumber,
} from './shared/options.js'
import { requirePlaced, warnOfCheckpoint } from './shared/run-warnings.js'

export const embedCommand = () => declaration().action(embed)

function declaration() {
  return new Command('embed')
    .description('Write the embeddings of images to a file, with their labels')
    .argument('<run>', 'run folder')
    .requiredOption(
      '--out <file>',
      '.csv (index, label, z1 … zd) or .npy (float32 [n][d], with the labels in NAME.labels.npy)',
    )
    .addOption(dataOption())
    .addOption(splitOption('images to embed').default('test'))
    .option(
      '--noise <deviation>',
      'standard deviation of the noise on the input, the same noise as in evaluations',
      deviation('--noise'),
      0,
    )
    .option('--images <number>', 'embed only the first N images (default: all)', wholeNumber('--images', 1))
    .addOption(deviceOption('device that runs the model').default('auto'))
    .addOption(threadsOption())
    .option('--overwrite', 'replace an earlier embedding in the file', false)
    .addHelpText(
      'after',
      `
The train split has all of its images, whatever the run's data.limit. A file that is not an embedding written by eigenae
is never replaced. If a run is not complete, its last checkpoint is used, with a warning.

Example:
  eigenae embed runs/eigen/seed-0 --out eigen.npy && python3 -c 'import numpy; print(numpy.load("eigen.npy").shape)'`,
    )
}

/** Writes the embeddings of the chosen images and prints the names of the files. */
async function embed(folder: string, flags: FlagsOf<typeof declaration>): Promise<void> {
  const format = embeddingFormatOf(flags.out, flags.overwrite)
  const trained = await readTrainedRun(await runNamed(folder, 'embed'))
  requirePlaced(trained.run)
  const { config } = trained.run
  const { images, labels } = chosenImages(await loadDataFor(trained.run, flags.data), flags)
  warnOfCheckpoint(trained)
  const latent = latentDimension(config.model)
  const values = await withTrainer(config, trained.state, computeOptions(flags), (trainer) =>
    encode(trainer, images, flags.noise, latent),
  )
  for (const file of await writeEmbedding(format, flags.out, { values, labels, latent })) writeResult(file)
}

// Noisy pixels are fp32 and take four times the memory of the images.
const noisyImagesAtOnce = 2000

/** Returns the embedding, [count][latent], of the pixels divided by 255, plus noise. */
async function encode(
  trainer: Trainer,
  { pixels, pixelsPerImage: size, count }: ImageSet,
  deviation: number,
  latent: number,
): Promise<Float32Array> {
  if (deviation === 0) return trainer.encode(pixels)
  const values = new Float32Array(count * latent)
  for (let first = 0; first < count; first += noisyImagesAtOnce) {
    const end = Math.min(first + noisyImagesAtOnce, count)
    const noisy = new Float32Array((end - first) * size)
    for (let image = first; image < end; image++) {
      const noise = evaluationNoise(image, size, deviation)
      const sum = noise.map((value, pixel) => pixels[image * size + pixel]! / 255 + value)
      noisy.set(sum, (image - first) * size)
    }
    values.set(await trainer.encode(noisy), first * latent)
  }
  return values
}
