import { dirname } from 'node:path'
import { makeFolder } from '../files/folder.js'
import { refuseForeignFiles } from '../files/overwrite-guard.js'
import { writeAtomically } from '../files/write.js'
import { chooseRuns } from './chosen-runs.js'
import { pageImages } from './images.js'
import { explorePage, explorePageMark } from './page.js'
import { runData } from './run-data.js'

export interface ExploreOptions {
  readonly out: string
  /** So many test images at most. */
  readonly images: number
  /** A data set's name or folder; undefined for the one of the runs. */
  readonly data: string | undefined
}

export interface Explored {
  readonly file: string
  readonly bytes: number
  /** The folders of the runs whose models are in the page. */
  readonly runs: readonly string[]
  readonly images: number
  /** What to say of models that are not final. */
  readonly notes: readonly string[]
}

/** Writes the page on which one looks around in the latent space of one or two runs. */
export async function exploreRuns(folders: readonly string[], options: ExploreOptions): Promise<Explored> {
  const { out } = options
  refuseForeignFiles([{ file: out, mark: explorePageMark }], 'Name another file with --out.')
  const chosen = await chooseRuns(folders)
  const images = await pageImages(chosen, options.data, options.images)
  const runs = []
  for (const each of chosen) runs.push({ ...each, ...(await runData(each, images)) })
  const page = await explorePage(runs, images)
  await makeFolder(dirname(out))
  await writeAtomically(out, page)
  return {
    file: out,
    bytes: Buffer.byteLength(page),
    runs: chosen.map(({ run }) => run.folder),
    images: images.labels.length,
    notes: runs.flatMap(({ note, notes }) => [...(note === null ? [] : [note]), ...notes]),
  }
}
