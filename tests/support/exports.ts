import { readFileSync, writeFileSync } from 'node:fs'
import { loadDataSet } from '../../src/data/load.js'
import { parts } from '../../src/exports/models/network.js'
import { readTrainedRun, withTrainer } from '../../src/training/trained-model.js'
import { eigenae, trainArgs } from './cli.js'

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

const arms = [
  { name: 'no batch norm', config: 'baseline.json', flags: [] },
  { name: 'batch norm folded', config: 'batch-norm.json', flags: [] },
  { name: 'batch norm kept', config: 'batch-norm.json', flags: ['--keep-batch-norm'] },
]

/** Returns every part of every arm in each of the formats. */
export function exportCases(
  formats: readonly string[],
): readonly (ExportCase & { flags: readonly string[]; run: string })[] {
  return formats.flatMap((format) =>
    arms.flatMap(({ name, config, flags }) =>
      parts.map((part) => {
        const title = `${format}, ${part}, ${name}`
        const input = part === 'decoder' ? 'embedding' : 'images'
        const output = part === 'encoder' ? 'embedding' : 'reconstruction'
        return {
          ...{ title, format, folder: title.replace(/\W+/g, '-'), input, output, run: config },
          inputFile: `${config}.${input}`,
          expectedFile: `${config}.${output}`,
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
  for (const config of new Set(arms.map((arm) => arm.config))) {
    await eigenae(trainArgs(config, scratch(config), 'data.limit=20000', 'train.epochs=2'))
    await writeEngineValues(scratch(config))
  }
  for (const { run, folder, flags } of cases) {
    const { code, stderr } = await eigenae(['export', run, '--out', folder, ...flags], { cwd: scratch() })
    if (code !== 0) throw new Error(stderr)
  }
}

async function writeEngineValues(folder: string): Promise<void> {
  const { run, state } = await readTrainedRun(folder)
  const { test } = await loadDataSet('mnist')
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
