import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createObjectCsvStringifier } from 'csv-writer'
import type { Comparison } from '../comparison/compare.js'
import { asJson, comparisonColumns, csvRow, format } from '../comparison/export.js'
import { hasCode, usageError } from '../errors.js'
import { makeFolder } from '../make-folder.js'
import { comparisonCharts } from '../plots/comparison.js'
import { loadRenderer } from '../plots/raster.js'
import { writeCharts } from '../plots/render.js'
import { jsonText, removeLeftovers, writeAtomically } from '../runs/files.js'
import { reportPage } from './page.js'

/**
 * Whether a comparison can be drawn and written there. An earlier one will be replaced, and other files are left alone.
 * @throws a usage error where a file that would be replaced is not of an earlier comparison.
 */
export async function checkOutput(folder: string): Promise<void> {
  await loadRenderer()
  const file = join(folder, 'comparison.json')
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return null
    if (hasCode(error, 'ENOTDIR'))
      throw usageError({ what: 'is a file, or lies under one, not a folder', where: folder })
    throw error
  })
  if (text !== null && !text.includes(`"${format}"`)) {
    throw usageError({
      what: 'exists and is no comparison of eigenae, so it is left as it is',
      where: file,
      mend: 'Name another folder with --out.',
    })
  }
}

/** The names of the files that were written. */
export async function writeComparison(
  folder: string,
  comparison: Comparison,
  command: readonly string[],
): Promise<readonly string[]> {
  await makeFolder(folder)
  await removeLeftovers(folder)
  await writeAtomically(join(folder, 'comparison.csv'), csvText(comparison))
  await writeAtomically(join(folder, 'comparison.json'), jsonText({ ...asJson(comparison), command }))
  const charts = comparisonCharts(comparison)
  const report = async () =>
    writeAtomically(join(folder, 'report.html'), await reportPage(comparison, charts, command))
  const [pictures] = await Promise.all([writeCharts(folder, charts), report()])
  return ['report.html', 'comparison.csv', 'comparison.json', ...pictures]
}

function csvText({ results }: Comparison): string {
  const header = comparisonColumns.map((id) => ({ id, title: id }))
  const csv = createObjectCsvStringifier({ header })
  return (csv.getHeaderString() ?? '') + csv.stringifyRecords(results.map(csvRow))
}
