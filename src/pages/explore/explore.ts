/** How the page of `eigenae explore` is made: runs → test images → networks and embeddings → one HTML file. */
import { dirname } from 'node:path'
import { readArms } from '../../comparison/arms.js'
import { differenceLabels } from '../../comparison/differences.js'
import { armLabels } from '../../comparison/labels.js'
import { unusableText } from '../../comparison/warnings.js'
import { imageSide } from '../../data/idx.js'
import { loadDataSet } from '../../data/load.js'
import { EigenaeError, usageError } from '../../errors.js'
import { exportedNetwork } from '../../exports/models/network.js'
import { makeFolder } from '../../files/folder.js'
import { refuseForeignFiles } from '../../files/own-files.js'
import { writeDurably } from '../../files/write.js'
import { latentDimension } from '../../model/architecture.js'
import { layoutOf } from '../../model/layout.js'
import type { WholeRun } from '../../runs/read.js'
import { principalDirections } from '../../spectrum/principal-directions.js'
import { eigenaeCommand } from '../../text/command-line.js'
import { thousands } from '../../text/format.js'
import {
  modelNote,
  onOneCore,
  readTrainedState,
  requireOwnVersion,
  withTrainer,
} from '../../training/trained-model.js'
import { sourceOfRun } from '../../training/training-data.js'
import { explorePage, explorePageMark, type PageImages } from './page.js'

export interface ExploreOptions {
  readonly out: string
  /** The largest number of test images in the page. */
  readonly images: number
  /** A data set's name or folder; undefined for the runs' own. */
  readonly data: string | undefined
}

/** Writes the page that shows the latent space of one run, or of two side by side. */
export async function exploreRuns(folders: readonly string[], options: ExploreOptions) {
  const { out } = options
  refuseForeignFiles([{ file: out, mark: explorePageMark }], 'Name another file with --out.')
  const chosen = await chooseRuns(folders)
  const images = await pageImages(
    chosen.map(({ run }) => run),
    options,
  )
  const runs = []
  for (const each of chosen) runs.push({ ...each, ...(await runData(each.run, images)) })
  const page = await explorePage(runs, images)
  await makeFolder(dirname(out))
  await writeDurably(out, page)
  return {
    file: out,
    bytes: Buffer.byteLength(page),
    /** The folders of the runs whose models are in the page. */
    runs: chosen.map(({ run }) => run.folder),
    images: images.labels.length,
    /** Notes on models that are not final and on damaged runs. */
    notes: runs.flatMap(({ note, notes }) => [...(note === null ? [] : [note]), ...notes]),
  }
}

/** Returns the one or two runs that the arguments name. A folder of runs stands for its first completed run. */
async function chooseRuns(folders: readonly string[]) {
  const { arms } = await readArms(folders, undefined)
  if (arms.length > 2) {
    const named =
      folders.length === arms.length ? folders.join(' ') : `${folders.join(' ')} with its subfolders`
    throw usageError({
      problem: `${named}: ${arms.length} runs, but a page shows one, or two side by side`,
      details: arms.slice(0, 10).map(({ name }) => name),
      hint: `Name one or two of them; ${eigenaeCommand('compare')} takes any number.`,
    })
  }
  const runs = arms.map(({ runs, leftOut, unusable }) => {
    const first = runs[0] ?? leftOut[0]
    if (first === undefined) throw unusable[0]!.error
    requireOwnVersion(first)
    return first
  })
  const names = armLabels(arms)
  const differences = differenceLabels(runs.map(({ config }) => config))
  return runs.map((run, index) => ({
    run,
    name: names[index]!,
    /** Notes on damaged runs of the same arm. */
    notes: arms[index]!.unusable.map((each) => unusableText(each, arms[index]!.name)),
    difference: runs.length === 1 ? '' : differences[index]!,
  }))
}

/**
 * Returns the first test images of the given data set or, if none is given, of the one that the runs were trained on.
 * @throws a usage error if the runs were trained on different data.
 */
async function pageImages(runs: readonly WholeRun[], options: ExploreOptions): Promise<PageImages> {
  const sources = options.data === undefined ? [...new Set(runs.map(sourceOfRun))] : [options.data]
  if (sources.length > 1) {
    throw usageError({
      problem: `the runs were trained on different data: ${sources.join(' and ')}`,
      hint: 'Choose the test images of the page with --data mnist or --data FOLDER.',
    })
  }
  const { images, labels } = (await loadDataSet(sources[0]!)).test
  const shown = Math.min(options.images, images.count)
  return {
    source: options.data ?? runs[0]!.config.data.source,
    pixels: images.pixels.subarray(0, shown * images.pixelsPerImage),
    labels: labels.subarray(0, shown),
    side: imageSide,
  }
}

const mostDimensions = 64

// 128 MB of float32. A browser still opens such a page, and its text is far below JavaScript's limit for strings.
const mostParameters = 2 ** 25

/** @throws a usage error if the run has no model, or if its model is too large for a page. */
async function runData(run: WholeRun, { pixels }: PageImages) {
  const { folder, config } = run
  const latent = latentDimension(config.model)
  const { parameterCount } = layoutOf(config.model)
  const refuse = (problem: string, hint?: string) => usageError({ problem, subject: folder, hint })
  if (latent > mostDimensions)
    throw refuse(`its embedding has ${latent} dimensions, but a page has at most ${mostDimensions} sliders`)
  if (parameterCount > mostParameters)
    throw refuse(
      `its network has ${thousands(parameterCount)} parameters, but a page holds at most ${thousands(mostParameters)}`,
    )
  const trained = readTrainedState(run)
  if (trained === null)
    throw refuse('has no trained model yet', `Train it first: ${eigenaeCommand('train … --resume')}.`)
  const embedding = await withTrainer(config, trained.state, onOneCore, (trainer) => trainer.encode(pixels))
  if (!embedding.every(Number.isFinite))
    throw new EigenaeError({
      problem: 'its embedding holds values that are not finite: the training diverged',
      subject: folder,
      hint: 'Train it again with a smaller learning rate.',
    })
  const { layers } = exportedNetwork(config.model, trained.state, {
    part: 'autoencoder',
    keepBatchNorm: false,
  })
  const { mean, directions, coordinates } = principalDirections(embedding, latent)
  return {
    data: {
      layers: layers.map(({ inputs, outputs, activation, slope }) => ({
        inputs,
        outputs,
        activation,
        slope,
      })),
      encoderLayers: layers.length / 2,
      latent,
      mean,
      directions,
    },
    floats: [...layers.flatMap(({ weight, bias }) => [weight, bias]), Float32Array.from(coordinates)],
    note: modelNote({ run, ...trained }),
  }
}
