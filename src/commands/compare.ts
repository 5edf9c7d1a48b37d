import { Command, Option } from 'commander'
import type { Comparison } from '../comparison/comparison.js'
import type { ArmSelection } from '../comparison/selection.js'
import { usageError } from '../errors.js'
import { schemes } from '../plots/theme.js'
import type { Metric } from '../runs/metrics.js'
import {
  resultSpace,
  writeJson,
  writeLines,
  writeMessage,
  writeResult,
  writeWarning,
} from '../text/output.js'
import { collectExpressions, type FlagsOf, metricOption, wholeNumber } from './shared/options.js'

const tableFormats = ['text', 'markdown', 'latex', 'csv'] as const

export const compareCommand = () => declaration().action(compare)

type CompareFlags = FlagsOf<typeof declaration>
type PrintFlags = Pick<CompareFlags, 'baseline' | 'metric' | 'details' | 'effects' | 'format' | 'json'> &
  ArmSelection

function declaration() {
  return new Command('compare')
    .description(
      'Compare runs side by side: means, 95 % intervals over the seeds, and tests against a baseline',
    )
    .argument('<run...>', 'run folders, or folders of runs that differ only in their seeds (one arm each)')
    .option(
      '--baseline <run>',
      "the arm that the others are tested against: its folder, or its name, full or as in the table (default: the first arm; in a sweep's folder, the first of the sweep file)",
    )
    .option(
      '--arms <names>',
      'compare only these arms: names of the table, or folders, with commas between them',
    )
    .option(
      '--where <condition>',
      "compare only arms that match, such as 'train.batchSize=64' (repeatable; the conditions of eigenae runs)",
      collectExpressions,
      [],
    )
    .addOption(metricOption('--sort <metric>', 'sort the arms by the mean of a metric, the best first'))
    .option(
      '--top <number>',
      'show at most this many arms, the best ones by --sort or by the error on noisy images',
      wholeNumber('--top', 1),
    )
    .option('--out <folder>', 'write comparison.csv, comparison.json, report.html and the pictures here')
    .option('--notes <file>', 'show this Markdown text at the top of report.html')
    .addOption(
      new Option(
        '--scheme <name>',
        'colours of the pictures for a light or a dark background (default: light)',
      ).choices(schemes),
    )
    .addOption(metricOption('--metric <name>', 'show only this metric (default: the main metrics)'))
    .option('--details', 'print the differences, p-values and effect sizes of each main metric', false)
    .addOption(
      new Option(
        '--effects',
        'print which settings of a sweep matter: for a grid, the share of each in the variance of a metric; for a search, its rank correlation with it (default metric: validation_denoise_mse if the configs hold out images, otherwise test_denoise_mse; another with --metric)',
      )
        .default(false)
        .conflicts('details'),
    )
    .addOption(
      new Option('--format <name>', 'format of the printed tables').choices(tableFormats).default('text'),
    )
    .addOption(
      new Option('--json', 'print the comparison as JSON, with all metrics unless --metric names one')
        .default(false)
        .conflicts('format'),
    )
    .addHelpText(
      'after',
      `
The table has a row for each arm and a column for each main metric: the mean over the seeds, its 95 % interval, and
marks for the best mean and for significant differences from the baseline (†). A terminal that is too narrow shows the
columns below each other, and the intervals only if they fit; files and pipes get the whole table.

--arms, --where, --sort and --top select the arms of the table, the files, the pictures and the report alike. A condition on a
metric concerns the mean of an arm, any other condition its runs. The baseline always stays. The arms that --top and
conditions on metrics hide still count in the correction of the p-values, because they were hidden for their results.

Examples:
  eigenae compare runs/baseline runs/eigen runs/batch-norm --out report
  eigenae compare runs/arms --details
  eigenae compare runs/search --where 'optimizer.learningRate<0.01' --sort linear_probe_accuracy --top 10
  eigenae compare runs/weights --effects --metric effective_rank
  eigenae compare runs/arms --format latex > table.tex`,
    )
}

async function compare(folders: readonly string[], flags: CompareFlags): Promise<void> {
  const { notes, scheme, out } = flags
  if (notes !== undefined && out === undefined)
    throw usageError({ problem: 'requires --out, which writes the report', subject: '--notes' })
  if (scheme !== undefined && out === undefined)
    throw usageError({ problem: 'requires --out, which writes the pictures', subject: '--scheme' })
  if (out === undefined) await printComparison(folders, flags)
  else await printAndWrite(folders, flags, out)
}

/** Prints the tables of a comparison on stdout, and its warnings on stderr. */
async function printComparison(
  folders: readonly string[],
  { baseline, metric, details, effects, format, json, ...selection }: PrintFlags,
): Promise<Comparison> {
  // Imported here so that other commands start without loading the statistics.
  const { compareRuns } = await import('../comparison/compare.js')
  const comparison = await compareRuns(folders, baseline, selection)
  for (const warning of abbreviated(comparison.warnings, '; --json lists all of them')) writeWarning(warning)
  if (json) {
    const { comparisonJson } = await import('../comparison/formats.js')
    writeJson(comparisonJson(comparison, metric))
  } else if (effects) {
    await printEffects(comparison, metric, format)
  } else if (format !== 'text') {
    const { formattedTables } = await import('../comparison/formats.js')
    writeResult(formattedTables(comparison, { format, metric, details }))
  } else {
    const { detailLines, mainLines } = await import('../comparison/terminal.js')
    const space = resultSpace()
    const isDetailed = details || metric !== undefined
    writeLines(isDetailed ? detailLines(comparison, metric, space.columns) : mainLines(comparison, space))
  }
  return comparison
}

async function printEffects(
  comparison: Comparison,
  metric: Metric | undefined,
  format: PrintFlags['format'],
): Promise<void> {
  const { effectsOf } = await import('../comparison/effects.js')
  const effects = effectsOf(comparison, metric)
  if (typeof effects === 'string') throw usageError({ problem: effects, subject: '--effects' })
  if (format === 'text') {
    const { effectsLines } = await import('../comparison/terminal.js')
    writeLines(effectsLines(effects, resultSpace().columns))
  } else {
    const { formattedEffects } = await import('../comparison/formats.js')
    writeResult(formattedEffects(effects, format))
  }
}

// More lines would hide the tables.
const mostWarnings = 20

/** Returns the first warnings, and how many follow. @param advice the end of the last line */
export function abbreviated(warnings: readonly string[], advice = ''): readonly string[] {
  const more = warnings.length - mostWarnings
  return more > 1 ? [...warnings.slice(0, mostWarnings), `${more} more${advice}`] : warnings
}

async function printAndWrite(folders: readonly string[], flags: CompareFlags, out: string): Promise<void> {
  // Imported here because a comparison takes half the time without the libraries that draw pictures.
  const { checkOutput, writeComparison } = await import('../pages/report/write-report.js')
  const { drawnText } = await import('../plots/drawn.js')
  const { readReportNotes } = await import('../pages/report/report-notes.js')
  const { baseline, notes, scheme, arms, where, sort, top } = flags
  await checkOutput(out)
  const text = notes === undefined ? undefined : await readReportNotes(notes)
  const comparison = await printComparison(folders, flags)
  const named = Object.entries({ baseline, arms, sort, top, notes, scheme }).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag}`, String(value)],
  )
  const conditions = where.flatMap(({ text }) => ['--where', text])
  const lacking = await writeComparison(out, comparison, {
    command: ['eigenae', 'compare', ...folders, ...conditions, ...named, '--out', out],
    notes: text,
    scheme: scheme ?? 'light',
  })
  for (const note of lacking) writeMessage(note)
  const shown = drawnText(comparison)
  const limit = shown === null ? '' : ` (the pictures show ${shown})`
  writeMessage(`\nwritten to ${out}${limit}`)
}
