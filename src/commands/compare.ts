import { Command, Option } from 'commander'
import { type Group, type Metric, readGroups, statisticOf } from '../comparison/groups.js'
import { metricsColumns } from '../runs/tables.js'
import { significant } from '../terminal/numbers.js'
import { writeJson, writeMessage, writeResult } from '../terminal/output.js'
import { alignedTable } from '../terminal/table.js'

interface CompareFlags {
  readonly metric?: Metric
  readonly json: boolean
}

const metrics = metricsColumns.filter((column) => column !== 'epoch')
const shownByDefault: readonly Metric[] = [
  'test_mse',
  'test_denoise_mse',
  'top_share',
  'effective_rank',
  'dead_dimensions',
]

export function compareCommand(): Command {
  return new Command('compare')
    .description('Set runs side by side: mean and standard deviation over the runs of each folder')
    .argument('<run...>', 'run folders, or folders of runs')
    .addOption(
      new Option('--metric <name>', 'show this metric alone (default: the main ones)').choices(metrics),
    )
    .option('--json', 'print the comparison as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae compare runs/baseline runs/eigen runs/batch-norm')
    .action(compare)
}

async function compare(folders: readonly string[], { metric, json }: CompareFlags): Promise<void> {
  const groups = await readGroups(folders)
  if (json) return writeJson(groups.map((group) => asJson(group, metric === undefined ? metrics : [metric])))
  for (const folder of groups.flatMap((group) => group.leftOut))
    writeMessage(`left out, not complete: ${folder}`)
  const columns = metric === undefined ? shownByDefault : [metric]
  const rows = groups.map((group) => [
    group.name,
    String(group.runs.length),
    ...columns.map((each) => cell(group, each)),
  ])
  writeResult(
    alignedTable(rows, ['left', 'right', ...columns.map(() => 'right' as const)], ['group', 'n', ...columns]),
  )
}

/** "0.02661 ± 0.00021": the standard deviation over the runs, where there are several. */
function cell(group: Group, metric: Metric): string {
  const { mean, standardDeviation } = statisticOf(group, metric)
  return standardDeviation === null
    ? significant(mean)
    : `${significant(mean)} ± ${significant(standardDeviation, 2)}`
}

function asJson(group: Group, chosen: readonly Metric[]) {
  return {
    group: group.name,
    n: group.runs.length,
    left_out: group.leftOut,
    metrics: Object.fromEntries(
      chosen.map((metric) => {
        const { mean, standardDeviation } = statisticOf(group, metric)
        return [metric, { mean, sd: standardDeviation }]
      }),
    ),
  }
}
