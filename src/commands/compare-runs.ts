import { compareRuns } from '../comparison/compare.js'
import { asJson } from '../comparison/export.js'
import { comparisonText } from '../comparison/text.js'
import { mostDrawn } from '../plots/comparison.js'
import { checkOutput, writeComparison } from '../report/write.js'
import { writeJson, writeMessage, writeResult } from '../terminal/output.js'
import type { CompareFlags } from './compare.js'

export async function compare(
  folders: readonly string[],
  { baseline, out, metric, json }: CompareFlags,
): Promise<void> {
  if (out !== undefined) await checkOutput(out)
  const comparison = await compareRuns(folders, baseline)
  for (const warning of comparison.warnings) writeMessage(`warning: ${warning}`)
  if (json) writeJson(asJson(comparison, metric))
  else writeResult(comparisonText(comparison, metric))
  if (out === undefined) return
  const files = await writeComparison(out, comparison, commandOf(folders, baseline, out))
  const { length } = comparison.arms
  const few = length > mostDrawn ? ` (the pictures show the first ${mostDrawn} of ${length} arms)` : ''
  writeMessage(`\nwritten into ${out}: ${files.join(', ')}${few}`)
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
