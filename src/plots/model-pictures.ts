/** Loads the models of arms, for the pictures that need them. The drawing itself reads no files. */
import type { Arm } from '../comparison/comparison.js'
import { loadDataSet } from '../data/load.js'
import { EigenaeError, firstLine } from '../errors.js'
import type { WholeRun } from '../runs/read.js'
import { onOneCore, readTrainedState, type TrainedRun, withTrainer } from '../training/trained-model.js'
import { sourceOfRun } from '../training/training-data.js'
import {
  oneOfEachLabel,
  pickOutputs,
  pickSamples,
  reconstruct,
  reconstructionGrid,
  type Still,
  samplesOf,
  searchedImages,
  worstSamples,
} from './reconstructions.js'
import type { Scheme } from './theme.js'

export interface ModelStills {
  readonly stills: readonly Still[]
  /** The arms that are not drawn, with the reasons. */
  readonly notes: readonly string[]
}

interface TrainedArm {
  readonly label: string
  readonly trained: TrainedRun
}

/** The names of the pictures. */
export const modelStills = ['reconstructions', 'worst-reconstructions'] as const

export interface StillOptions {
  readonly scheme: Scheme
  /** The arm or the sweep, for the titles. */
  readonly subject: string | undefined
}

/** Draws reconstructions by the first run of each arm, side by side. Arms without a model are left out. */
export async function drawModelStills(arms: readonly Arm[], options: StillOptions): Promise<ModelStills> {
  const notes: string[] = []
  const trained = arms.flatMap(({ label, runs }) => {
    const model = readModelOf(runs[0]!, notes)
    return model === null ? [] : [{ label, trained: model }]
  })
  if (trained.length === 0) return { stills: [], notes }
  try {
    return { stills: await stillsOf(trained, options, notes), notes }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    return { stills: [], notes: [...notes, `no reconstructions: ${firstLine(error)}`] }
  }
}

function readModelOf(run: WholeRun, notes: string[]): TrainedRun | null {
  try {
    const state = readTrainedState(run)
    if (state === null) notes.push(`${run.folder}: no reconstructions, as it has no model`)
    return state === null ? null : { run, ...state }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    notes.push(`no reconstructions: ${firstLine(error)}`)
    return null
  }
}

/** All arms reconstruct the images and the noise of the first one. */
async function stillsOf(
  arms: readonly TrainedArm[],
  { scheme, subject }: StillOptions,
  notes: string[],
): Promise<readonly Still[]> {
  const { config } = arms[0]!.trained.run
  const source = sourceOfRun(arms[0]!.trained.run)
  const { test } = await loadDataSet(source)
  const alike = arms.filter(({ trained: { run } }) => {
    const same = sourceOfRun(run) === source
    if (!same)
      notes.push(`${run.folder}: no reconstructions, as it was trained on other data than ${arms[0]!.label}`)
    return same
  })
  const labelled = samplesOf(test, oneOfEachLabel(test), config.data.noise)
  const count = Math.min(searchedImages, test.images.count)
  const searched = samplesOf(
    test,
    Array.from({ length: count }, (_, image) => image),
    config.data.noise,
  )
  const outputs = []
  for (const { label, trained } of alike)
    outputs.push(
      await withTrainer(trained.run.config, trained.state, onOneCore, async (trainer) => ({
        labelled: await reconstruct(trainer, label, labelled),
        searched: await reconstruct(trainer, label, searched),
      })),
    )
  const places = worstSamples(
    outputs.map((each) => each.searched),
    searched,
  )
  const worst = outputs.map((each) => pickOutputs(each.searched, searched.pixels, places))
  const title = subject === undefined ? '' : `: ${subject}`
  const several = alike.length > 1 ? ' Each arm is drawn with its first run.' : ''
  return [
    {
      name: modelStills[0],
      scheme,
      title: 'Test images and their reconstructions',
      caption: `The first test image of each label, the same with the noise of the evaluations, and its reconstruction.${several}`,
      svg: await reconstructionGrid(
        labelled,
        outputs.map((each) => each.labelled),
        { title: `Test images and their reconstructions${title}`, scheme, withErrors: false },
      ),
    },
    {
      name: modelStills[1],
      scheme,
      title: 'Worst reconstructions',
      caption: `Of the first ${count} test images, those with the largest mean squared error (below each image)${alike.length > 1 ? ', averaged over the arms' : ''}.${several}`,
      svg: await reconstructionGrid(pickSamples(searched, places), worst, {
        title: `Worst reconstructions of ${count} test images${title}`,
        scheme,
        withErrors: true,
      }),
    },
  ]
}
