import { Command, Option } from 'commander'
import { type Metric, metrics } from '../../runs/metrics.js'

export interface CompareFlags {
  readonly baseline?: string
  readonly out?: string
  readonly metric?: Metric
  readonly json: boolean
}

export function compareCommand(): Command {
  return new Command('compare')
    .description('Set runs side by side: mean, 95 % interval over seeds, and tests against a baseline')
    .argument('<run...>', 'run folders, or folders of runs over their seeds (a group each)')
    .option(
      '--baseline <run>',
      "the folder, or the arm by its whole name, that the others are tested against (default: the first; in a sweep's folder, the first of its sweep file)",
    )
    .option('--out <folder>', 'write comparison.csv, comparison.json, report.html and the pictures here')
    .addOption(
      new Option('--metric <name>', 'show this metric alone (default: the main ones)').choices(metrics),
    )
    .option('--json', 'print the comparison as JSON, every metric of it', false)
    .addHelpText(
      'after',
      '\nExample:\n  eigenae compare runs/baseline runs/eigen runs/batch-norm --out report',
    )
    .action(async (folders: readonly string[], flags: CompareFlags) => {
      // Only here: other commands should not wait for statistics and charts to be loaded.
      const { compare } = await import('./compare.js')
      await compare(folders, flags)
    })
}
