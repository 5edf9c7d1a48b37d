import { join } from 'node:path'
import { createObjectCsvStringifier } from 'csv-writer'
import type { Comparison } from '../comparison/compare.js'
import { asJson, comparisonColumns, csvRow, format } from '../comparison/export.js'
import { makeFolder } from '../files/folder.js'
import { isOurs, refuseForeignFiles, signature } from '../files/overwrite-guard.js'
import { jsonText, removeLeftovers, writeAtomically } from '../files/write.js'
import { comparisonCharts, comparisonPictures } from '../plots/comparison.js'
import { loadRenderer } from '../plots/raster.js'
import { pictureFiles, writeCharts } from '../plots/render.js'
import { csvText } from '../text/csv.js'
import { reportPage } from './page.js'

/**
 * Whether a comparison can be drawn and written there. An earlier one will be replaced, and other files are left alone.
 * @throws a usage error where a file that would be replaced is not of an earlier comparison.
 */
export async function checkOutput(folder: string): Promise<void> {
  await loadRenderer()
  const earlier = { file: join(folder, 'comparison.json'), mark: `"${format}"` }
  if (await isOurs(earlier)) return
  await refuseForeignFiles([
    earlier,
    { file: join(folder, 'comparison.csv'), mark: comparisonColumns.join(',') },
    ...['report.html', ...comparisonPictures.flatMap(pictureFiles)].map((name) => ({
      file: join(folder, name),
      mark: signature,
    })),
  ])
}

/** The names of the files that were written. */
export async function writeComparison(
  folder: string,
  comparison: Comparison,
  command: readonly string[],
): Promise<readonly string[]> {
  await makeFolder(folder)
  await removeLeftovers(folder)
  await writeAtomically(join(folder, 'comparison.csv'), csvOf(comparison))
  await writeAtomically(join(folder, 'comparison.json'), jsonText({ ...asJson(comparison), command }))
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
