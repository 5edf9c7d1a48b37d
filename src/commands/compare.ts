import { Command, Option } from 'commander'
import type { Comparison } from '../comparison/compare.js'
import { usageError } from '../errors.js'
import { type Metric, metrics } from '../runs/metrics.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'

export interface CompareFlags {
  readonly baseline?: string
  readonly out?: string
  readonly notes?: string
  readonly metric?: Metric
  readonly json: boolean
}

export function compareCommand(): Command {
  return new Command('compare')
    .description(
      'Compare runs side by side: means, 95 % intervals over the seeds, and tests against a baseline',
    )
    .argument('<run...>', 'run folders, or folders of runs that differ only in their seeds (one arm each)')
    .option(
      '--baseline <run>',
      "the arm that the others are tested against: its folder, or its full name in the table (default: the first arm; in a sweep's folder, the first of the sweep file)",
    )
    .option('--out <folder>', 'write comparison.csv, comparison.json, report.html and the pictures here')
    .option('--notes <file>', 'show this Markdown text at the top of report.html')
    .addOption(
      new Option('--metric <name>', 'show only this metric (default: the main metrics)').choices(metrics),
    )
    .option('--json', 'print the comparison as JSON, with all metrics unless --metric names one', false)
    .addHelpText(
      'after',
      '\nExample:\n  eigenae compare runs/baseline runs/eigen runs/batch-norm --out report',
    )
    .action(compare)
}

export async function compare(folders: readonly string[], flags: CompareFlags): Promise<void> {
  if (flags.notes !== undefined && flags.out === undefined)
    throw usageError({ problem: 'requires --out, which writes the report', subject: '--notes' })
  if (flags.out === undefined) await print(folders, flags)
  else await printAndWrite(folders, flags, flags.out)
}

async function print(
  folders: readonly string[],
  { baseline, metric, json }: CompareFlags,
): Promise<Comparison> {
  // Imported here so that other commands start without loading the statistics.
  const { compareRuns } = await import('../comparison/compare.js')
  const comparison = await compareRuns(folders, baseline)
  for (const warning of comparison.warnings) writeMessage(`warning: ${warning}`)
  if (json) {
    const { comparisonJson } = await import('../comparison/export.js')
    writeJson(comparisonJson(comparison, metric))
  } else {
    const { comparisonText } = await import('../comparison/text.js')
    writeResult(comparisonText(comparison, metric))
  }
  return comparison
}

async function printAndWrite(folders: readonly string[], flags: CompareFlags, out: string): Promise<void> {
  // Imported here because a comparison takes half the time without the libraries that draw pictures.
  const { checkOutput, writeComparison } = await import('../report/write.js')
  const { mostDrawn } = await import('../plots/comparison.js')
  const { readNotes } = await import('../report/notes.js')
  await checkOutput(out)
  const notes = flags.notes === undefined ? undefined : await readNotes(flags.notes)
  const comparison = await print(folders, flags)
  const { files, notes: lacking } = await writeComparison(out, comparison, {
    command: commandWords(folders, flags, out),
    notes,
  })
  for (const note of lacking) writeMessage(note)
  const { length } = comparison.arms
  const limit = length > mostDrawn ? ` (the pictures show the first ${mostDrawn} of ${length} arms)` : ''
  writeMessage(`\nwritten to ${out}: ${files.join(', ')}${limit}`)
}

function commandWords(
  folders: readonly string[],
  { baseline, notes }: CompareFlags,
  out: string,
): readonly string[] {
  const against = baseline === undefined ? [] : ['--baseline', baseline]
  const text = notes === undefined ? [] : ['--notes', notes]
  return ['eigenae', 'compare', ...folders, ...against, ...text, '--out', out]
}
