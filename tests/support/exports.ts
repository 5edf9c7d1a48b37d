import { readFileSync, writeFileSync } from 'node:fs'
import { parts } from '../../src/exports/models/network.js'
import { readTrainedRun, withTrainer } from '../../src/training/trained-model.js'
import { loadDataFor } from '../../src/training/training-data.js'
import { eigenae, trainArgs } from './cli.js'
import { dataFolder, idxImages, idxLabels } from './idx.js'

export const imageCount = 1000

/** A run's model, or a part of it, in one format. The names are those of files in the test's folder. */
export interface ExportCase {
  readonly title: string
  readonly format: string
  readonly folder: string
  /** The snippet's input: `images`, or `embedding` for a decoder. */
  readonly input: string
  readonly output: string
  /** Raw fp32 [imageCount][…] from the engine. */
  readonly inputFile: string
  readonly expectedFile: string
}

/** A config with changes, and how its model is exported. Arms of the same run export the same trained model. */
interface Arm {
  readonly name: string
  readonly run: string
  readonly config: string
  readonly settings: readonly string[]
  readonly flags: readonly string[]
}

const keep = ['--keep-batch-norm']
const plain = { run: 'plain', config: 'baseline.json', settings: [], flags: [] }
const normed = { run: 'normed', config: 'batch-norm.json', settings: [] }
const leaky = {
  run: 'leaky',
  config: 'baseline.json',
  settings: [
    'model.activation={"kind":"leaky-relu","slope":0.2}',
    'model.batchNorm=["encoder.1","latent","decoder.0"]',
  ],
}
const averaged = {
  run: 'averaged',
  config: 'baseline.json',
  settings: [
    'model.activation=silu',
    'model.batchNorm=["encoder.0"]',
    'optimizer.averaging={"kind":"ema","decay":0.99}',
  ],
}
const tall = {
  run: 'tall',
  config: 'baseline.json',
  settings: ['data.source=data-12-20', 'data.limit=1000', 'model.widths=[240,32,6]'],
  flags: [],
}
const arms: readonly Arm[] = [
  { name: 'no batch norm', ...plain },
  { name: 'batch norm folded', ...normed, flags: [] },
  { name: 'batch norm kept', ...normed, flags: keep },
  { name: 'leaky ReLU, batch norm by layer', ...leaky, flags: keep },
  { name: 'SiLU, averaged', ...averaged, flags: keep },
  { name: 'images of 12 × 20', ...tall },
]

/** Returns every part of every arm in each of the formats. */
export function exportCases(
  formats: readonly string[],
): readonly (ExportCase & { flags: readonly string[]; run: string })[] {
  return formats.flatMap((format) =>
    arms.flatMap(({ name, run, flags }) =>
      parts.map((part) => {
        const title = `${format}, ${part}, ${name}`
        const input = part === 'decoder' ? 'embedding' : 'images'
        const output = part === 'encoder' ? 'embedding' : 'reconstruction'
        return {
          ...{ title, format, folder: title.replace(/\W+/g, '-'), input, output, run },
          inputFile: `${run}.${input}`,
          expectedFile: `${run}.${output}`,
          flags: ['--format', format, '--part', part, ...flags],
        }
      }),
    ),
  )
}

/** Trains the arms, exports the cases, and writes the engine's embeddings and reconstructions of test images. */
export async function makeExports(
  scratch: (...names: readonly string[]) => string,
  cases: ReturnType<typeof exportCases>,
): Promise<void> {
  dataFolder(scratch('data-12-20'), {
    'train-images-idx3-ubyte': idxImages(imageCount, 20, 12),
    'train-labels-idx1-ubyte': idxLabels(imageCount),
    't10k-images-idx3-ubyte': idxImages(imageCount, 20, 12),
    't10k-labels-idx1-ubyte': idxLabels(imageCount),
  })
  for (const { run, config, settings } of new Map(arms.map((arm) => [arm.run, arm])).values()) {
    const args = trainArgs(config, scratch(run), 'data.limit=20000', 'train.epochs=2', ...settings)
    const { code, stderr } = await eigenae(args, { cwd: scratch() })
    if (code !== 0) throw new Error(stderr)
    await writeEngineValues(scratch(run))
  }
  for (const { run, folder, flags } of cases) {
    const { code, stderr } = await eigenae(['export', run, '--out', folder, ...flags], { cwd: scratch() })
    if (code !== 0) throw new Error(stderr)
  }
}

async function writeEngineValues(folder: string): Promise<void> {
  const { run, state } = await readTrainedRun(folder)
  const { test } = await loadDataFor(run)
  const bytes = test.images.pixels.subarray(0, imageCount * test.images.pixelsPerImage)
  const place = { device: 'auto', threads: 1 } as const
  await withTrainer(run.config, state, place, async (trainer) => {
    writeFileSync(
      `${folder}.images`,
      Float32Array.from(bytes, (value) => value / 255),
    )
    writeFileSync(`${folder}.embedding`, await trainer.encode(bytes))
    writeFileSync(`${folder}.reconstruction`, await trainer.reconstruct(bytes))
  })
}

/** Returns the code in a README.md, which a user would copy. */
export function snippetOf(folder: string): string {
  const [, code] = /```\w+\n([\s\S]*?)\n```/.exec(readFileSync(`${folder}/README.md`, 'utf8'))!
  return code!
}
