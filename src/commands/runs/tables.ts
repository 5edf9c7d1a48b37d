import { basename, dirname, join, relative, resolve } from 'node:path'
import { createObjectCsvStringifier } from 'csv-writer'
import { nameInSweep } from '../../comparison/labels.js'
import { placeInSweep, readSavedSweep, type SavedSweep } from '../../comparison/sweep-arms.js'
import { EigenaeError } from '../../errors.js'
import { formatMetric, listedMetrics, meaningOf, metricOf } from '../../runs/metrics.js'
import type { Run } from '../../runs/read.js'
import { blockTable, type Column, tableWidth, unbroken } from '../../text/block-table.js'
import { withoutFormula } from '../../text/format.js'
import { type Line, type Span, type Style, span } from '../../text/styled.js'
import { type Alignment, truncateDistinct } from '../../text/table.js'
import { type Field, fieldNamed, lastEpoch } from './query.js'

/**
 * Returns the runs as a table for people, with the added columns last. On a terminal that is too narrow, runs of sweeps are
 * called by the short names of their arms, and columns with a single value are in a line of their own.
 * @param columns the terminal's
 */
export function tableOf(
  runs: readonly Run[],
  root: string,
  added: readonly Field[],
  columns: number,
): readonly Line[] {
  const names = new Set(added.map(({ name }) => name))
  const noted = noteFields.filter(
    (field) => !names.has(field.name) && runs.some((run) => field.of(run) !== null),
  )
  const figures = [...usualColumns(runs), ...[...added, ...noted].map((field) => columnOf(field, runs))]
  // Programs that read the table expect its header in one line.
  const inOneLine = figures.map((column) => ({ ...column, header: unbroken(column.header) }))
  const folders = keyColumn('folder', foldersOf(runs, root), columns)
  if (tableWidth([folders, ...inOneLine]) <= columns) return blockTable([folders], inOneLine, columns)
  const named = keyColumn('run', namesOf(runs, root), columns)
  if (tableWidth([named, ...inOneLine]) <= columns) return blockTable([named], inOneLine, columns)
  return narrowTable(named, figures, columns)
}

function foldersOf(runs: readonly Run[], root: string): readonly string[] {
  return runs.map(({ folder }) => relative(root, folder) || '.')
}

/** Returns a table whose columns do not fit side by side, with the values that all runs share in a line below it. */
function narrowTable(key: Column, figures: readonly Column[], columns: number): readonly Line[] {
  const isCommon = ({ header, cells }: Column) =>
    omissible.includes(header) && cells.length > 1 && new Set(cells.map(({ text }) => text)).size === 1
  const rest = figures.filter((each) => !isCommon(each))
  const common = figures.filter(isCommon).map(({ header, cells }) => `${header} ${cells[0]!.text}`)
  const lines = blockTable([key], rest, columns)
  return common.length === 0 ? lines : [...lines, [], [span(`All runs have ${listOf(common)}.`)]]
}

/** Returns "a, b and c". */
function listOf(texts: readonly string[]): string {
  return texts.join(', ').replace(/, ([^,]*)$/, ' and $1')
}

const omissible: readonly string[] = ['name', 'status', 'epoch', 'device']

// Space for at least two more columns.
const spaceForFigures = 24

function keyColumn(header: string, texts: readonly string[], columns: number): Column {
  const cells = truncateDistinct(texts, Math.max(spaceForFigures, columns - spaceForFigures))
  return { header, alignment: 'left', cells: cells.map((text) => span(text)) }
}

/** Returns "eigen weight=0.1/seed-0" for the runs of a sweep's arms, and the folders of the other runs. */
function namesOf(runs: readonly Run[], root: string): readonly string[] {
  const sweeps = new Map<string, SavedSweep | undefined>()
  const sweepIn = (folder: string) => {
    if (!sweeps.has(folder)) sweeps.set(folder, savedSweepIn(folder))
    return sweeps.get(folder)
  }
  return runs.map(({ folder }) => {
    const arm = dirname(resolve(folder))
    const place = placeInSweep(basename(arm), sweepIn(dirname(arm)))
    if (place === null) return relative(root, folder) || '.'
    return join(relative(root, dirname(arm)), nameInSweep(place), basename(resolve(folder)))
  })
}

/** A damaged sweep.json is reported by `verify` and `compare`. */
function savedSweepIn(folder: string): SavedSweep | undefined {
  try {
    return readSavedSweep(folder)
  } catch (error) {
    if (error instanceof EigenaeError) return undefined
    throw error
  }
}

const noteFields = ['tags', 'note'].map((name) => fieldNamed(name, [])!)

const statusStyles: Readonly<Partial<Record<Run['status'], Style>>> = {
  failed: 'red',
  damaged: 'red',
  interrupted: 'yellow',
  running: 'green',
}

function usualColumns(runs: readonly Run[]): readonly Column[] {
  const column = (header: string, alignment: Alignment, text: (run: Run) => string): Column => {
    return { header, alignment, cells: runs.map((run) => span(text(run))) }
  }
  return [
    column('name', 'left', ({ record }) => record.name),
    column('seed', 'right', ({ record }) => String(record.seed)),
    { header: 'status', alignment: 'left', cells: runs.map(statusCell) },
    column('epoch', 'right', (run) => `${lastEpoch(run)}/${run.record.epochs}`),
    column('device', 'left', ({ record }) => record.device),
    ...listedMetrics.map((metric) =>
      column(meaningOf(metric).label, 'right', (run) => formatMetric(metric, metricOf(run, metric))),
    ),
  ]
}

function statusCell({ status }: Run): Span {
  const style = statusStyles[status]
  return style === undefined ? span(status) : span(status, style)
}

function columnOf(field: Field, runs: readonly Run[]): Column {
  return {
    header: field.name,
    alignment: field.type === 'text' || field.type === 'words' ? 'left' : 'right',
    cells: runs.map((run) => span(cell(field, run))),
  }
}

function cell({ of, format }: Field, run: Run): string {
  if (format !== undefined) return format(run)
  const value = of(run)
  if (value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Returns a run as --json prints it. */
export function jsonOf(run: Run, added: readonly Field[]): object {
  const { record, damage } = run
  return {
    ...usualValues(run),
    error: record.status === 'failed' ? record.error : null,
    damage,
    tags: run.notes.tags,
    note: run.notes.note || null,
    ...addedValues(run, added),
  }
}

/** Returns the runs as CSV: a missing value is an empty cell, a list or object is JSON. */
export function csvOf(runs: readonly Run[], added: readonly Field[]): string {
  const rows = runs.map((run) => ({ ...usualValues(run), ...addedValues(run, added) }))
  const ids = [...usualNames, ...added.map(({ name }) => name)]
  const csv = createObjectCsvStringifier({ header: ids.map((id) => ({ id, title: id })) })
  const cells = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([id, value]) => [id, csvCell(value)])),
  )
  return `${csv.getHeaderString()}${csv.stringifyRecords(cells)}`.trimEnd()
}

function csvCell(value: unknown): string | number {
  if (typeof value === 'number') return value
  if (value === null) return ''
  // Tags: words have no spaces.
  if (Array.isArray(value) && value.every((each) => typeof each === 'string'))
    return withoutFormula(value.join(' '))
  return withoutFormula(typeof value === 'string' ? value : JSON.stringify(value))
}

const usualNames = ['folder', 'name', 'seed', 'status', 'epoch', 'epochs', 'device', ...listedMetrics]

/** True if every listing has the name, so that it need not be added. */
export function isUsual(name: string): boolean {
  return usualNames.includes(name)
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
