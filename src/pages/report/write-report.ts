import { join } from 'node:path'
import type { Comparison } from '../../comparison/comparison.js'
import { comparisonCsv, comparisonJson, comparisonMarks } from '../../comparison/formats.js'
import { makeFolder } from '../../files/folder.js'
import { isOurs, type Output, pageMark, refuseForeignFiles, signature } from '../../files/own-files.js'
import { jsonText, type NamedContent, writeInto } from '../../files/write.js'
import {
  comparisonCharts,
  comparisonPictures,
  drawnArms,
  occasionalPictures,
  titlesOf,
} from '../../plots/comparison-pictures.js'
import { drawModelStills } from '../../plots/model-pictures.js'
import {
  chartFiles,
  loadRenderer,
  pictureOutputs,
  removeStalePictures,
  stillFiles,
} from '../../plots/render.js'
import type { Scheme } from '../../plots/theme.js'
import { type ReportOptions, reportPage } from './report-page.js'

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
  return [
    json,
    // A CSV file cannot hold a mark, so the JSON file beside it must be ours, too.
    {
      file: join(folder, 'comparison.csv'),
      mark: (head) => comparisonMarks.csv(head) && isOurs(json) === true,
    },
    { file: join(folder, 'report.html'), mark: pageMark(signature) },
    ...pictureOutputs(folder, [...comparisonPictures, ...occasionalPictures]),
  ]
}

interface WriteOptions extends Omit<ReportOptions, 'stills'> {
  /** The colours of the pictures. The charts of the report have those of the reader's system. */
  readonly scheme: Scheme
}

/** Writes all files of a comparison. Returns a line for each arm without reconstructions. */
export async function writeComparison(
  folder: string,
  comparison: Comparison,
  { scheme, ...options }: WriteOptions,
) {
  await makeFolder(folder)
  const charts = comparisonCharts(comparison)
  const { stills, notes } = await drawModelStills(drawnArms(comparison), {
    scheme,
    ...titlesOf(comparison),
  })
  const [pictures, page] = await Promise.all([
    chartFiles(charts, scheme),
    reportPage(comparison, charts, { ...options, stills }),
  ])
  const files: readonly NamedContent[] = [
    { file: 'report.html', content: page },
    { file: 'comparison.csv', content: comparisonCsv(comparison) },
    {
      file: 'comparison.json',
      content: jsonText({ ...comparisonJson(comparison), command: options.command }),
    },
    ...pictures,
    ...(await stillFiles(stills)),
  ]
  await writeInto(folder, files)
  await removeStalePictures(folder, occasionalPictures, files)
  return notes
}
