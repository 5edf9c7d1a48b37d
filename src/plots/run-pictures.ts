import { basename, join, resolve } from 'node:path'
import { readArms } from '../comparison/arms.js'
import type { Arm, ArmRuns } from '../comparison/comparison.js'
import { labelArm } from '../comparison/labels.js'
import { unusableText } from '../comparison/warnings.js'
import { usageError } from '../errors.js'
import { makeFolder, requireKind } from '../files/folder.js'
import { refuseForeignFiles } from '../files/own-files.js'
import { type NamedContent, writeInto } from '../files/write.js'
import { latentDimension } from '../model/architecture.js'
import { plotsName } from '../runs/files.js'
import { eigenaeCommand } from '../text/command-line.js'
import { escapeLine } from '../text/format.js'
import {
  modelNote,
  onOneCore,
  readTrainedState,
  type TrainedRun,
  withTrainer,
} from '../training/trained-model.js'
import { loadDataFor } from '../training/training-data.js'
import { courseCharts } from './comparison-pictures.js'
import { drawModelStills, embeddingChart, modelStills } from './model-pictures.js'
import { chartFiles, loadRenderer, pictureOutputs, removeStalePictures, stillFiles } from './render.js'
import type { Scheme } from './theme.js'

/** The names of the pictures. */
export const runPictures = [
  'loss',
  'training',
  'spectrum',
  'evolution',
  'effective-rank',
  ...modelStills,
  'embedding',
] as const

/** The names of pictures that only some runs have. */
const occasionalPictures = ['dead-units'] as const

/** Draws a run, complete or not, or an arm over its seeds, with the model of its first run. */
export async function writeRunPictures(name: string, out: string | undefined, scheme: Scheme) {
  await loadRenderer()
  const { arm: read, subject } = await readDrawableArm(name)
  const arm = { ...labelArm(read), label: subject }
  const folder = out ?? join(arm.name, plotsName)
  if (out === undefined) await requireKind('folder', folder)
  const outputs = pictureOutputs(folder, [...runPictures, ...occasionalPictures])
  refuseForeignFiles(outputs, 'Name another folder with --out.')
  await makeFolder(folder)
  const run = arm.runs[0]!
  const state = readTrainedState(run)
  const trained = state && { run, ...state }
  const charts = courseCharts([arm]).map((chart) => ({ ...chart, subject }))
  const files = [
    ...(await chartFiles(charts, scheme)),
    ...(trained === null ? [] : await modelPictures(arm, trained, scheme)),
  ]
  await writeInto(folder, files)
  await removeStalePictures(folder, occasionalPictures, files)
  const note = trained && modelNote(trained)
  const unusable = arm.unusable.map((each) => unusableText(each, arm.name))
  return {
    folder,
    files: files.map(({ file }) => file),
    /** The run whose model made the reconstructions and the embedding; null if it has no model yet. */
    model: trained && run.folder,
    /** Notes on a model that is not the final one, and on damaged runs that are left out. */
    notes: [...(note === null ? [] : [note]), ...unusable],
  }
}

/** Reads an arm with its completed runs or, if there are none, with its incomplete runs. */
async function readDrawableArm(name: string): Promise<{ readonly arm: ArmRuns; readonly subject: string }> {
  const {
    arms: [arm, ...more],
  } = await readArms([name], undefined)
  if (more.length > 0) {
    throw usageError({
      problem: `holds ${more.length + 1} arms; plot draws one`,
      subject: name,
      hint: `Name one of them, for example ${arm!.name}, or compare them with ${eigenaeCommand('compare')}.`,
    })
  }
  const runs = (arm!.runs.length > 0 ? arm!.runs : arm!.leftOut).filter(({ metrics }) => metrics.length > 0)
  if (runs.length > 0) return { arm: { ...arm!, runs }, subject: subjectOfRuns(arm!.name, runs) }
  const [unusable] = arm!.unusable
  if (unusable !== undefined) throw unusable.error
  throw usageError({
    problem: 'has no epoch yet',
    subject: name,
    hint: `Train it first: ${eigenaeCommand('train … --resume')}.`,
  })
}

/** Returns the name of an arm or a run for the titles: "eigen, 3 seeds", "eigen, seed 0". */
function subjectOfRuns(folder: string, runs: ArmRuns['runs']): string {
  const isRun = runs[0]!.folder === folder
  const own = basename(resolve(folder))
  const name = isRun && /^seed-\d+$/.test(own) ? basename(resolve(folder, '..')) : own
  const seeds = runs.length === 1 ? `seed ${runs[0]!.record.seed}` : `${runs.length} seeds`
  return escapeLine(`${name}, ${seeds}`)
}

async function modelPictures(
  arm: Arm,
  { run, state }: TrainedRun,
  scheme: Scheme,
): Promise<readonly NamedContent[]> {
  const { test } = await loadDataFor(run)
  const chart = await withTrainer(run.config, state, onOneCore, (trainer) =>
    embeddingChart(trainer, test, latentDimension(run.config.model), scheme),
  )
  const { stills } = await drawModelStills([arm], { scheme, subject: arm.label })
  return [...(await stillFiles(stills)), ...(await chartFiles([{ ...chart, subject: arm.label }], scheme))]
}
