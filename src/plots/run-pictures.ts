import { join } from 'node:path'
import { type ArmRuns, readArms } from '../comparison/compare.js'
import { labelArms } from '../comparison/differences.js'
import { unusableText } from '../comparison/warnings.js'
import { loadDataSet } from '../data/load.js'
import { usageError } from '../errors.js'
import { requireKind } from '../files/inner.js'
import { pictureMark, refuseForeignFiles } from '../files/overwrite-guard.js'
import { latentDimension } from '../model/architecture.js'
import { remakeHint } from '../runs/damage.js'
import { plotsName, runFiles } from '../runs/files.js'
import {
  modelNote,
  onOneCore,
  readTrainedState,
  type TrainedRun,
  withTrainer,
} from '../training/trained-model.js'
import { sourceOfRun } from '../training/training-data.js'
import { embeddingChart } from './embedding.js'
import { effectiveRankChart, lossChart } from './epochs.js'
import { loadRenderer } from './raster.js'
import { reconstructionGrid } from './reconstructions.js'
import { pictureFiles, writeCharts, writePicture } from './render.js'
import { evolutionChart, spectrumChart } from './spectrum.js'

export interface RunPictures {
  readonly folder: string
  readonly files: readonly string[]
  /** Whose model the reconstructions and the embedding are of; null where it has none. */
  readonly model: string | null
  /** On that model if it is not a final one, and on the runs that are left out as they are damaged. */
  readonly notes: readonly string[]
}

/** Their names, before they are drawn. */
export const runPictures = [
  'loss',
  'spectrum',
  'evolution',
  'effective-rank',
  'reconstructions',
  'embedding',
] as const

/** The pictures of a run, complete or not, or of a group over its seeds, where the model is the first run's. */
export async function writeRunPictures(name: string, out: string | undefined): Promise<RunPictures> {
  await loadRenderer()
  const group = await drawableGroup(name)
  const arms = labelArms([group])
  const folder = out ?? join(group.name, plotsName)
  if (out === undefined) await requireKind('folder', folder)
  refuseForeignPictures(folder)
  const charts = [
    lossChart(arms, 'own'),
    spectrumChart(arms),
    evolutionChart(arms),
    effectiveRankChart(arms, 'own'),
  ]
  const files = await writeCharts(folder, charts)
  const run = group.runs[0]!
  const trained = readTrainedState(run)
  const unusable = group.unusable.map((each) => unusableText(each, group.name))
  if (trained === null) return { folder, files, model: null, notes: unusable }
  const ofModel = await writeModelPictures(folder, { run, ...trained })
  const note = modelNote({ run, ...trained })
  return {
    folder,
    files: [...files, ...ofModel],
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

/** Of a group, the completed runs; where none is, what there is. */
async function drawableGroup(name: string): Promise<ArmRuns> {
  const {
    arms: [group, ...more],
  } = await readArms([name], undefined)
  if (more.length > 0) {
    throw usageError({
      problem: `holds ${more.length + 1} groups, plot draws one`,
      subject: name,
      hint: `Name one of them, for example ${group!.name}, or compare them with eigenae compare.`,
    })
  }
  const runs = (group!.runs.length > 0 ? group!.runs : group!.leftOut).filter(
    ({ metrics }) => metrics.length > 0,
  )
  if (runs.length > 0) return { ...group!, runs }
  const [unusable] = group!.unusable
  if (unusable !== undefined) throw unusable.error
  const complete = group!.runs[0]
  if (complete !== undefined) {
    const where = runFiles(complete.folder).metrics
    throw usageError({
      problem: 'is missing or empty, though the run is complete',
      subject: where,
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
