import { relative } from 'node:path'
import { Command } from 'commander'
import { EigenaeError } from '../errors.js'
import { findRuns } from '../runs/find.js'
import { damageText, remakeHint } from '../runs/integrity.js'
import { formatMetric, listedMetrics, type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import { type Run, readRun, readRuns } from '../runs/read.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'

interface RunsFlags {
  readonly json: boolean
}

export function runsCommand(): Command {
  return new Command('runs')
    .description('List the runs in a folder')
    .argument('[folder]', 'folder to search, at any depth', 'runs')
    .option('--json', 'print the list as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae runs runs/eigen')
    .action(runs)
}

/** Lists the readable runs, then fails if a run or a folder cannot be read. */
async function runs(folder: string, { json }: RunsFlags): Promise<void> {
  const { runs: folders, unreadable } = await findRuns(folder)
  const all = await readRuns(folders, readRunOrError)
  const found = all.flatMap((each) => (each instanceof EigenaeError ? [] : [each]))
  const errors = all.flatMap((each) => (each instanceof EigenaeError ? [each] : []))
  if (json) writeJson(found.map(jsonOf))
  else if (all.length === 0) writeMessage(`no runs in ${folder}`)
  else if (found.length > 0) writeResult(tableOf(found, folder))
  for (const { folder: run, damage } of found)
    if (damage.length > 0) writeMessage(`warning: ${run}: ${damage.map(damageText).join('; ')}`)
  if (found.some(({ damage }) => damage.length > 0)) writeMessage(remakeHint)
  if (errors.length + unreadable.length === 0) return
  throw new EigenaeError({
    problem: [
      ...(errors.length > 0 ? [`${errors.length} of ${all.length} runs cannot be read`] : []),
      ...(unreadable.length > 0
        ? [`${unreadable.length} folder${unreadable.length === 1 ? '' : 's'} in it cannot be read`]
        : []),
    ].join(', '),
    subject: folder,
    details: [...errors, ...unreadable].map(({ message }) => message),
  })
}

async function readRunOrError(folder: string): Promise<Run | EigenaeError> {
  try {
    return await readRun(folder)
  } catch (error) {
    if (error instanceof EigenaeError) return error
    throw error
  }
}

function tableOf(found: readonly Run[], folder: string): string {
  const labels = listedMetrics.map((metric) => meaningOf(metric).label)
  return alignedTable(
    found.map((run) => rowOf(run, folder)),
    ['left', 'left', 'right', 'left', 'right', 'left', ...labels.map(() => 'right' as const)],
    ['folder', 'name', 'seed', 'status', 'epoch', 'device', ...labels],
  )
}

function rowOf(run: Run, root: string): readonly string[] {
  const { folder, record, status } = run
  return [
    relative(root, folder) || '.',
    record.name,
    String(record.seed),
    status,
    `${epochOf(run)}/${record.epochs}`,
    record.device,
    ...listedMetrics.map((metric) => formatMetric(metric, metricIn(run, metric))),
  ]
}

function jsonOf(run: Run) {
  const { folder, record, status, damage } = run
  return {
    folder,
    name: record.name,
    seed: record.seed,
    status,
    epoch: epochOf(run),
    epochs: record.epochs,
    device: record.device,
    ...Object.fromEntries(listedMetrics.map((metric) => [metric, metricIn(run, metric)])),
    error: record.status === 'failed' ? record.error : null,
    damage,
  }
}

function epochOf({ metrics }: Run): number {
  return metrics.at(-1)?.epoch ?? 0
}

/** Lists read no evaluation.json, so the accuracies are unknown. */
function metricIn({ metrics }: Run, metric: Metric): number | null {
  return metricOf({ metrics, linearProbeAccuracy: null, neighbourAccuracy: null }, metric)
}
