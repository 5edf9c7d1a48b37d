/** How the page of `eigenae explore` is made: runs → test images → networks and embeddings → one HTML file. */
import { dirname } from 'node:path'
import { readArms } from '../../comparison/arms.js'
import type { ArmRuns } from '../../comparison/comparison.js'
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
import type { TrainerState } from '../../model/state.js'
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
import { explorePage, explorePageMark, type PageImages, type RunData } from './page.js'

export interface ExploreOptions {
  readonly out: string
  /** The largest number of test images in the page. */
  readonly images: number
  /** A data set's name or folder; undefined for the runs' own. */
  readonly data: string | undefined
}

export interface Explored {
  readonly file: string
  readonly bytes: number
  /** The folders of the runs whose models are in the page. */
  readonly runs: readonly string[]
  readonly images: number
  /** Notes on models that are not final and on damaged runs. */
  readonly notes: readonly string[]
}

/** Writes the page that shows the latent space of one run, or of two side by side. */
export async function exploreRuns(folders: readonly string[], options: ExploreOptions): Promise<Explored> {
  const { out } = options
  refuseForeignFiles([{ file: out, mark: explorePageMark }], 'Name another file with --out.')
  const chosen = await chooseRuns(folders)
  const images = await pageImages(chosen, options.data, options.images)
  const runs = []
  for (const each of chosen) runs.push({ ...each, ...(await runData(each.run, images)) })
  const page = await explorePage(runs, images)
  await makeFolder(dirname(out))
  await writeDurably(out, page)
  return {
    file: out,
    bytes: Buffer.byteLength(page),
    runs: chosen.map(({ run }) => run.folder),
    images: images.labels.length,
    notes: runs.flatMap(({ note, notes }) => [...(note === null ? [] : [note]), ...notes]),
  }
}

const mostRuns = 2

export interface ChosenRun {
  readonly run: WholeRun
  /** A short name, unique within the page. */
  readonly name: string
  /** Notes on damaged runs of the same arm. */
  readonly notes: readonly string[]
  /** The settings that distinguish it from the other run; "" if there are none or no other run. */
  readonly difference: string
}

/** Returns the one or two runs that the arguments name. A folder of runs stands for its first completed run. */
async function chooseRuns(folders: readonly string[]): Promise<readonly ChosenRun[]> {
  const { arms } = await readArms(folders, undefined)
  if (arms.length > mostRuns) {
    const named =
      folders.length === arms.length ? folders.join(' ') : `${folders.join(' ')} with its subfolders`
    throw usageError({
      problem: `${named}: ${arms.length} runs, but a page shows one, or two side by side`,
      details: arms.slice(0, 10).map(({ name }) => name),
      hint: `Name one or two of them; ${eigenaeCommand('compare')} takes any number.`,
    })
  }
  const runs = arms.map(firstRun)
  for (const run of runs) requireOwnVersion(run)
  const names = armLabels(arms)
  const differences = differenceLabels(runs.map(({ config }) => config))
  return runs.map((run, index) => ({
    run,
    name: names[index]!,
    notes: arms[index]!.unusable.map((each) => unusableText(each, arms[index]!.name)),
    difference: runs.length === 1 ? '' : differences[index]!,
  }))
}

function firstRun({ runs, leftOut, unusable }: ArmRuns): WholeRun {
  const first = runs[0] ?? leftOut[0]
  if (first === undefined) throw unusable[0]!.error
  return first
}

/**
 * Returns the first test images of the given data set or, if none is given, of the one that the runs were trained on.
 * @throws a usage error if the runs were trained on different data.
 */
async function pageImages(
  chosen: readonly ChosenRun[],
  folder: string | undefined,
  count: number,
): Promise<PageImages> {
  const location = folder ?? commonSource(chosen)
  const source = folder ?? chosen[0]!.run.config.data.source
  const { images, labels } = (await loadDataSet(location)).test
  const shown = Math.min(count, images.count)
  return {
    source,
    pixels: images.pixels.subarray(0, shown * images.pixelsPerImage),
    labels: labels.subarray(0, shown),
    side: imageSide,
  }
}

function commonSource(chosen: readonly ChosenRun[]): string {
  const sources = [...new Set(chosen.map(({ run }) => sourceOfRun(run)))]
  if (sources.length === 1) return sources[0]!
  throw usageError({
    problem: `the runs were trained on different data: ${sources.join(' and ')}`,
    hint: 'Choose the test images of the page with --data mnist or --data FOLDER.',
  })
}

const mostDimensions = 64

// 128 MB of float32. A browser still opens such a page, and its text is far below JavaScript's limit for strings.
const mostParameters = 2 ** 25

/** @throws a usage error if the run has no model, or if its model is too large for a page. */
async function runData(run: WholeRun, { pixels }: PageImages): Promise<RunData> {
  const { model } = run.config
  const latent = latentDimension(model)
  refuseTooLarge(run, latent)
  const trained = readTrainedState(run)
  if (trained === null) {
    throw usageError({
      problem: 'has no trained model yet',
      subject: run.folder,
      hint: `Train it first: ${eigenaeCommand('train … --resume')}.`,
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
      problem: `its embedding has ${latent} dimensions, but a page has at most ${mostDimensions} sliders`,
      subject: folder,
    })
  }
  const { parameterCount } = layoutOf(config.model)
  if (parameterCount > mostParameters) {
    throw usageError({
      problem: `its network has ${thousands(parameterCount)} parameters, but a page holds at most ${thousands(mostParameters)}`,
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
    problem: 'its embedding holds values that are not finite: the training diverged',
    subject: folder,
    hint: 'Train it again with a smaller learning rate.',
  })
}
