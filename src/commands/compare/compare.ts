import { type Comparison, compareRuns } from '../../comparison/compare.js'
import { asJson } from '../../comparison/export.js'
import { comparisonText } from '../../comparison/text.js'
import { mostDrawn } from '../../plots/comparison.js'
import { writeJson, writeMessage, writeResult } from '../../text/output.js'
import type { CompareFlags } from './index.js'

export async function compare(folders: readonly string[], flags: CompareFlags): Promise<void> {
  if (flags.out === undefined) await show(folders, flags)
  else await showAndWrite(folders, flags, flags.out)
}

async function show(
  folders: readonly string[],
  { baseline, metric, json }: CompareFlags,
): Promise<Comparison> {
  const comparison = await compareRuns(folders, baseline)
  for (const warning of comparison.warnings) writeMessage(`warning: ${warning}`)
  if (json) writeJson(asJson(comparison, metric))
  else writeResult(comparisonText(comparison, metric))
  return comparison
}

async function showAndWrite(folders: readonly string[], flags: CompareFlags, out: string): Promise<void> {
  // Only here: without what draws pictures a comparison takes half the time.
  const { checkOutput, writeComparison } = await import('../../report/write.js')
  await checkOutput(out)
  const comparison = await show(folders, flags)
  const files = await writeComparison(out, comparison, commandOf(folders, flags.baseline, out))
  const { length } = comparison.arms
  const few = length > mostDrawn ? ` (the pictures show the first ${mostDrawn} of ${length} arms)` : ''
  writeMessage(`\nwritten into ${out}: ${files.join(', ')}${few}`)
}

function commandOf(folders: readonly string[], baseline: string | undefined, out: string): readonly string[] {
  const against = baseline === undefined ? [] : ['--baseline', baseline]
  return ['eigenae', 'compare', ...folders, ...against, '--out', out]
}
