import { compareRuns } from '../../comparison/compare.js'
import { asJson } from '../../comparison/export.js'
import { comparisonText } from '../../comparison/text.js'
import { mostDrawn } from '../../plots/comparison.js'
import { writeJson, writeMessage, writeResult } from '../../terminal/output.js'
import type { CompareFlags } from './index.js'

export async function compare(
  folders: readonly string[],
  { baseline, out, metric, json }: CompareFlags,
): Promise<void> {
  // Only for --out: without pictures it takes half the time.
  const report = out === undefined ? null : { folder: out, ...(await import('../../report/write.js')) }
  await report?.checkOutput(report.folder)
  const comparison = await compareRuns(folders, baseline)
  for (const warning of comparison.warnings) writeMessage(`warning: ${warning}`)
  if (json) writeJson(asJson(comparison, metric))
  else writeResult(comparisonText(comparison, metric))
  if (report === null) return
  const { folder, writeComparison } = report
  const files = await writeComparison(folder, comparison, commandOf(folders, baseline, folder))
  const { length } = comparison.arms
  const few = length > mostDrawn ? ` (the pictures show the first ${mostDrawn} of ${length} arms)` : ''
  writeMessage(`\nwritten into ${folder}: ${files.join(', ')}${few}`)
}

function commandOf(folders: readonly string[], baseline: string | undefined, out: string): readonly string[] {
  return [
    'eigenae',
    'compare',
    ...folders,
    ...(baseline === undefined ? [] : ['--baseline', baseline]),
    '--out',
    out,
  ]
}
