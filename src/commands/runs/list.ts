import { relative } from 'node:path'
import { Command, Option } from 'commander'
import { createObjectCsvStringifier } from 'csv-writer'
import { EigenaeError, usageError } from '../errors.js'
import { type Expression, parseExpression } from '../runs/condition.js'
import { type Field, lastEpoch } from '../runs/fields.js'
import { findRuns } from '../runs/find.js'
import { damageText, remakeHint } from '../runs/integrity.js'
import { formatMetric, listedMetrics, meaningOf, metricOf } from '../runs/metrics.js'
import { type Run, readRun, readRuns } from '../runs/read.js'
import { requireField, selectRuns, sortField } from '../runs/select.js'
import { withoutFormula } from '../text/format.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'
import { wholeNumber } from './shared/options.js'

interface RunsFlags {
  readonly where: readonly Expression[]
  readonly sort?: string
  readonly top?: number
  readonly columns: readonly string[]
  readonly json: boolean
  readonly csv: boolean
}

export function runsCommand(): Command {
  return new Command('runs')
    .description('List the runs in a folder')
    .argument('[folder]', 'folder to search, at any depth', 'runs')
    .option(
      '--where <condition>',
      'list only the runs for which it holds, as often as needed: a name, one of = != < <= > >=, a value',
      collectExpressions,
      [],
    )
    .option('--sort <name>', 'sort by a name, smallest first; with a dash before the name, largest first')
    .option('--top <number>', 'list at most this many runs', wholeNumber('--top', 1))
    .option('--columns <names>', 'add columns: names with commas between them', collectNames, [])
    .option('--json', 'print the list as JSON', false)
    .addOption(new Option('--csv', 'print the list as CSV').default(false).conflicts('json'))
    .addHelpText(
      'after',
      `
A name is a metric (test_mse, linear_probe_accuracy, …: those of eigenae compare, after the last epoch), a config path
(train.batchSize), or one of folder, name, seed, status, epoch, epochs and device. A value is a number, a word, or JSON;
null matches a run without the value.

Examples:
  eigenae runs runs/eigen
  eigenae runs runs/search --where 'optimizer.learningRate<0.01' --where status=completed --sort test_denoise_mse --top 10
  eigenae runs runs/search --sort -effective_rank --columns optimizer.learningRate,loss.eigen.weight --csv`,
    )
    .action(runs)
}

function collectExpressions(text: string, before: readonly Expression[]): readonly Expression[] {
  return [...before, parseExpression(text)]
}

function collectNames(list: string, before: readonly string[]): readonly string[] {
  const names = list.split(',').map((name) => name.trim())
  if (names.includes(''))
    throw usageError({ problem: `has an empty name (got "${list}")`, subject: '--columns' })
  return [...before, ...names]
}

/** Lists the readable runs, then fails if a run or a folder cannot be read. */
async function runs(folder: string, flags: RunsFlags): Promise<void> {
  const { runs: folders, unreadable } = await findRuns(folder)
  const all = await readRuns(folders, readRunOrError)
  const found = all.flatMap((each) => (each instanceof EigenaeError ? [] : [each]))
  const errors = all.flatMap((each) => (each instanceof EigenaeError ? [each] : []))
  const { where, sort, top } = flags
  const selected = selectRuns(found, { where, sort, top })
  const added = addedColumns(flags, found)
  if (flags.json) writeJson(selected.map((run) => jsonOf(run, added)))
  else if (flags.csv) writeResult(csvOf(selected, added))
  else if (all.length === 0) writeMessage(`no runs in ${folder}`)
  else if (selected.length > 0) writeResult(tableOf(selected, folder, added))
  else if (found.length > 0) writeMessage(`none of the ${found.length} runs in ${folder} matches`)
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

/** Returns the columns of --columns and the one of --sort, each once, without those that are listed anyway. */
function addedColumns({ columns, sort }: RunsFlags, runs: readonly Run[]): readonly Field[] {
  const fields = [
    ...(sort === undefined ? [] : [sortField(sort, runs)]),
    ...columns.map((name) => requireField(name, '--columns', runs)),
  ]
  const byName = new Map(fields.map((field) => [field.name, field]))
  return [...byName.values()].filter(({ name }) => !isUsual(name))
}

/** Returns the runs as a table for people, with the added columns last. */
function tableOf(runs: readonly Run[], root: string, added: readonly Field[]): string {
  const labels = listedMetrics.map((metric) => meaningOf(metric).label)
  return alignedTable(
    runs.map((run) => [...usualCells(run, root), ...added.map((field) => cell(field, run))]),
    [
      ...(['left', 'left', 'right', 'left', 'right', 'left'] as const),
      ...labels.map(() => 'right' as const),
      ...added.map(({ type }) => (type === 'text' ? 'left' : 'right')),
    ],
    ['folder', 'name', 'seed', 'status', 'epoch', 'device', ...labels, ...added.map(({ name }) => name)],
  )
}

function usualCells(run: Run, root: string): readonly string[] {
  const { folder, record, status } = run
  return [
    relative(root, folder) || '.',
    record.name,
    String(record.seed),
    status,
    `${lastEpoch(run)}/${record.epochs}`,
    record.device,
    ...listedMetrics.map((metric) => formatMetric(metric, metricOf(run, metric))),
  ]
}

function cell({ of, format }: Field, run: Run): string {
  if (format !== undefined) return format(run)
  const value = of(run)
  if (value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Returns a run as --json prints it. */
function jsonOf(run: Run, added: readonly Field[]): object {
  const { record, damage } = run
  return {
    ...usualValues(run),
    error: record.status === 'failed' ? record.error : null,
    damage,
    ...addedValues(run, added),
  }
}

/** Returns the runs as CSV: a missing value is an empty cell, a list or object is JSON. */
function csvOf(runs: readonly Run[], added: readonly Field[]): string {
  const rows = runs.map((run) => ({ ...usualValues(run), ...addedValues(run, added) }))
  const ids = [...usualColumns, ...added.map(({ name }) => name)]
  const csv = createObjectCsvStringifier({ header: ids.map((id) => ({ id, title: id })) })
  const cells = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([id, value]) => [id, csvCell(value)])),
  )
  return `${csv.getHeaderString()}${csv.stringifyRecords(cells)}`.trimEnd()
}

function csvCell(value: unknown): string | number {
  if (typeof value === 'number') return value
  if (value === null) return ''
  return withoutFormula(typeof value === 'string' ? value : JSON.stringify(value))
}

const usualColumns = ['folder', 'name', 'seed', 'status', 'epoch', 'epochs', 'device', ...listedMetrics]

/** True if every listing has the name, so that it need not be added. */
function isUsual(name: string): boolean {
  return usualColumns.includes(name)
}

function usualValues(run: Run): Readonly<Record<string, unknown>> {
  const { folder, record, status } = run
  return {
    folder,
    name: record.name,
    seed: record.seed,
    status,
    epoch: lastEpoch(run),
    epochs: record.epochs,
    device: record.device,
    ...Object.fromEntries(listedMetrics.map((metric) => [metric, metricOf(run, metric)])),
  }
}

function addedValues(run: Run, added: readonly Field[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(added.map(({ name, of }) => [name, of(run)]))
}
