import { join } from 'node:path'
import type { Comparison } from '../comparison/comparison.js'
import { comparisonCsv, comparisonJson, comparisonMarks } from '../comparison/export.js'
import { makeFolder } from '../files/folder.js'
import { jsonText } from '../files/json.js'
import {
  isOurs,
  type Output,
  pageMark,
  pictureMark,
  refuseForeignFiles,
  signature,
} from '../files/own-files.js'
import { writeAtomically } from '../files/write.js'
import type { Scheme } from '../pages/theme.js'
import {
  comparisonCharts,
  comparisonPictures,
  drawnArms,
  occasionalPictures,
  subjectOf,
} from '../plots/comparison.js'
import { drawModelStills } from '../plots/model-pictures.js'
import { loadRenderer, pictureFiles, removeStalePictures, writeCharts, writeStills } from '../plots/render.js'
import { type ReportOptions, reportPage } from './page.js'

/**
 * Checks that a comparison can be drawn and written to a folder, in which an earlier one may be replaced. Writes nothing.
 * @throws a usage error if another file would be replaced.
 */
export async function checkOutput(folder: string): Promise<void> {
  await loadRenderer()
  refuseForeignFiles(outputsIn(folder), 'Name another folder with --out.')
}

function outputsIn(folder: string): readonly Output[] {
  const json = { file: join(folder, 'comparison.json'), mark: comparisonMarks.json }
  const pictures = [...comparisonPictures, ...occasionalPictures]
    .flatMap(pictureFiles)
    .map((name) => join(folder, name))
  return [
    json,
    // A CSV file cannot hold a mark, so the JSON file beside it must be ours, too.
    {
      file: join(folder, 'comparison.csv'),
      mark: (head) => comparisonMarks.csv(head) && isOurs(json) === true,
    },
    { file: join(folder, 'report.html'), mark: pageMark(signature) },
    ...pictures.map((file) => ({ file, mark: pictureMark(file) })),
  ]
}

export interface WrittenComparison {
  /** The names of the files. */
  readonly files: readonly string[]
  /** The arms without reconstructions, with the reasons. */
  readonly notes: readonly string[]
}

export interface WriteOptions extends Omit<ReportOptions, 'stills'> {
  /** The colours of the pictures. The charts of the report have those of the reader's system. */
  readonly scheme: Scheme
}

/** Writes all files of a comparison. */
export async function writeComparison(
  folder: string,
  comparison: Comparison,
  { scheme, ...options }: WriteOptions,
): Promise<WrittenComparison> {
  await makeFolder(folder)
  await writeAtomically(
    join(folder, 'comparison.json'),
    jsonText({ ...comparisonJson(comparison), command: options.command }),
  )
  await writeAtomically(join(folder, 'comparison.csv'), comparisonCsv(comparison))
  const charts = comparisonCharts(comparison)
  const { stills, notes } = await drawModelStills(drawnArms(comparison), {
    scheme,
    subject: subjectOf(comparison),
  })
  const writeReport = async () =>
    writeAtomically(join(folder, 'report.html'), await reportPage(comparison, charts, { ...options, stills }))
  const [pictures] = await Promise.all([writeCharts(folder, charts, scheme), writeReport()])
  const images = await writeStills(folder, stills)
  await removeStalePictures(folder, occasionalPictures, [...pictures, ...images])
  const files = ['report.html', 'comparison.csv', 'comparison.json', ...pictures, ...images]
  return { files, notes }
}
