import { join } from 'node:path'
import { type ArmRuns, readArms } from '../comparison/compare.js'
import { labelArms } from '../comparison/differences.js'
import { unusableText } from '../comparison/warnings.js'
import { loadDataSet } from '../data/load.js'
import { usageError } from '../errors.js'
import { requireKind } from '../files/folder.js'
import { pictureMark, refuseForeignFiles } from '../files/own-files.js'
import { latentDimension } from '../model/architecture.js'
import { plotsName, runFiles } from '../runs/files.js'
import { remakeHint } from '../runs/integrity.js'
import {
  modelNote,
  onOneCore,
  readTrainedState,
  type TrainedRun,
  withTrainer,
} from '../training/trained-model.js'
import { sourceOfRun } from '../training/training-data.js'
import { effectiveRankChart, lossChart } from './epochs.js'
import { embeddingChart, reconstructionGrid } from './model-pictures.js'
import { loadRenderer, pictureFiles, writeCharts, writePicture } from './render.js'
import { evolutionChart, spectrumChart } from './spectrum.js'

export interface RunPictures {
  readonly folder: string
  readonly files: readonly string[]
  /** The run whose model made the reconstructions and the embedding; null if it has no model yet. */
  readonly model: string | null
  /** Notes on a model that is not the final one, and on damaged runs that are left out. */
  readonly notes: readonly string[]
}

/** The names of the pictures. */
export const runPictures = [
  'loss',
  'spectrum',
  'evolution',
  'effective-rank',
  'reconstructions',
  'embedding',
] as const

/** Draws a run, complete or not, or an arm over its seeds, with the model of its first run. */
export async function writeRunPictures(name: string, out: string | undefined): Promise<RunPictures> {
  await loadRenderer()
  const arm = await readDrawableArm(name)
  const arms = labelArms([arm])
  const folder = out ?? join(arm.name, plotsName)
  if (out === undefined) await requireKind('folder', folder)
  refuseForeignPictures(folder)
  const charts = [
    lossChart(arms, 'own'),
    spectrumChart(arms),
    evolutionChart(arms),
    effectiveRankChart(arms, 'own'),
  ]
  const files = await writeCharts(folder, charts)
  const run = arm.runs[0]!
  const trained = readTrainedState(run)
  const unusable = arm.unusable.map((each) => unusableText(each, arm.name))
  if (trained === null) return { folder, files, model: null, notes: unusable }
  const modelFiles = await writeModelPictures(folder, { run, ...trained })
  const note = modelNote({ run, ...trained })
  return {
    folder,
    files: [...files, ...modelFiles],
    model: run.folder,
    notes: [...(note === null ? [] : [note]), ...unusable],
  }
}

function refuseForeignPictures(folder: string): void {
  const files = runPictures.flatMap(pictureFiles).map((name) => join(folder, name))
  refuseForeignFiles(
    files.map((file) => ({ file, mark: pictureMark(file) })),
    'Name another folder with --out.',
  )
}

/** Reads an arm with its completed runs or, if there are none, with its incomplete runs. */
async function readDrawableArm(name: string): Promise<ArmRuns> {
  const {
    arms: [arm, ...more],
  } = await readArms([name], undefined)
  if (more.length > 0) {
    throw usageError({
      problem: `holds ${more.length + 1} arms; plot draws one`,
      subject: name,
      hint: `Name one of them, for example ${arm!.name}, or compare them with eigenae compare.`,
    })
  }
  const runs = (arm!.runs.length > 0 ? arm!.runs : arm!.leftOut).filter(({ metrics }) => metrics.length > 0)
  if (runs.length > 0) return { ...arm!, runs }
  const [unusable] = arm!.unusable
  if (unusable !== undefined) throw unusable.error
  const complete = arm!.runs[0]
  if (complete !== undefined) {
    throw usageError({
      problem: 'is missing or empty, though the run is complete',
      subject: runFiles(complete.folder).metrics,
      hint: remakeHint,
    })
  }
  throw usageError({
    problem: 'has no epoch yet',
    subject: name,
    hint: 'Train it first: eigenae train … --resume.',
  })
}

function writeModelPictures(folder: string, { run, state }: TrainedRun): Promise<readonly string[]> {
  const { config } = run
  return withTrainer(config, state, onOneCore, async (trainer) => {
    const { test } = await loadDataSet(sourceOfRun(run))
    const grid = await reconstructionGrid(trainer, test, config.data.noise)
    const chart = await embeddingChart(trainer, test, latentDimension(config.model))
    return [...(await writePicture(folder, 'reconstructions', grid)), ...(await writeCharts(folder, [chart]))]
  })
}
