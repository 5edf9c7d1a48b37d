import { join } from 'node:path'
import { createObjectCsvStringifier } from 'csv-writer'
import type { Comparison } from '../comparison/compare.js'
import { asJson, comparisonColumns, csvRow, format } from '../comparison/export.js'
import { makeFolder } from '../files/folder.js'
import {
  beginsWith,
  isOurs,
  type Output,
  pageMark,
  pictureMark,
  refuseForeignFiles,
  signature,
} from '../files/overwrite-guard.js'
import { jsonText, writeAtomically } from '../files/write.js'
import { comparisonCharts, comparisonPictures } from '../plots/comparison.js'
import { loadRenderer } from '../plots/raster.js'
import { pictureFiles, writeCharts } from '../plots/render.js'
import { csvText } from '../text/csv.js'
import { reportPage } from './page.js'

/**
 * Checks that a comparison can be drawn and written into a folder. An earlier one will be replaced.
 * @throws a usage error if another file would be replaced.
 */
export async function checkOutput(folder: string): Promise<void> {
  await loadRenderer()
  refuseForeignFiles(outputsIn(folder), 'Name another folder with --out.')
}

function outputsIn(folder: string): readonly Output[] {
  const json = { file: join(folder, 'comparison.json'), mark: beginsWith(`{\n  "format": "${format}",`) }
  const header = beginsWith(`${comparisonColumns.join(',')}\n`)
  const pictures = comparisonPictures.flatMap(pictureFiles).map((name) => join(folder, name))
  return [
    json,
    // A CSV file has no place for a mark: the JSON beside it stands for both.
    { file: join(folder, 'comparison.csv'), mark: (head) => header(head) && isOurs(json) === true },
    { file: join(folder, 'report.html'), mark: pageMark(signature) },
    ...pictures.map((file) => ({ file, mark: pictureMark(file) })),
  ]
}

/** The names of the files that were written. */
export async function writeComparison(
  folder: string,
  comparison: Comparison,
  command: readonly string[],
): Promise<readonly string[]> {
  await makeFolder(folder)
  await writeAtomically(join(folder, 'comparison.json'), jsonText({ ...asJson(comparison), command }))
  await writeAtomically(join(folder, 'comparison.csv'), csvOf(comparison))
  const charts = comparisonCharts(comparison)
  const report = async () =>
    writeAtomically(join(folder, 'report.html'), await reportPage(comparison, charts, command))
  const [pictures] = await Promise.all([writeCharts(folder, charts), report()])
  return ['report.html', 'comparison.csv', 'comparison.json', ...pictures]
}

function csvOf({ results }: Comparison): string {
  const header = comparisonColumns.map((id) => ({ id, title: id }))
  const csv = createObjectCsvStringifier({ header })
  const rows = results.map(csvRow).map((row) => ({ ...row, group: csvText(row.group) }))
  return (csv.getHeaderString() ?? '') + csv.stringifyRecords(rows)
}
