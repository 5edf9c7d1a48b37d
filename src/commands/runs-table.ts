import { basename, dirname, join, relative, resolve } from 'node:path'
import { nameInSweep } from '../comparison/labels.js'
import { placeInSweep, readSavedSweep, type SavedSweep } from '../comparison/sweep-arms.js'
import { knownError } from '../errors.js'
import { listedMetrics, meaningOf } from '../runs/metrics.js'
import { type Field, fieldNamed, lastEpoch } from '../runs/query.js'
import type { Run } from '../runs/read.js'
import { truncateDistinct } from '../text/shorten.js'
import {
  blockTable,
  type Column,
  csvText,
  type Line,
  type Style,
  span,
  tableWidth,
  textColumn,
  unbroken,
} from '../text/table.js'

/** The values that every listing has. */
const usualNames = ['folder', 'name', 'seed', 'status', 'epoch', 'epochs', 'device', ...listedMetrics]

const usualFields = usualNames.map(knownField)

function knownField(name: string): Field {
  return fieldNamed(name, [])!
}

/** True if every listing has the name, so that it need not be added. */
export function isUsual(name: string): boolean {
  return usualNames.includes(name)
}

/**
 * Returns the runs as a table for people, with the added columns last. On a terminal that is too narrow, runs of sweeps are
 * called by the short names of their arms, and columns with a single value are in a line of their own.
 * @param width the terminal's
 */
export function tableOf(
  runs: readonly Run[],
  root: string,
  added: readonly Field[],
  width: number,
): readonly Line[] {
  const notes = ['tags', 'note']
    .map(knownField)
    .filter(
      ({ name, of }) => !added.some((field) => field.name === name) && runs.some((run) => of(run) !== null),
    )
  const figures = [...usualColumns(runs), ...[...added, ...notes].map((field) => columnOf(field, runs))]
  // Programs that read the table expect its header in one line.
  const inOneLine = figures.map((column) => ({ ...column, header: unbroken(column.header) }))
  const folders = keyColumn(
    'folder',
    runs.map(({ folder }) => folderIn(root, folder)),
    width,
  )
  if (tableWidth([folders, ...inOneLine]) <= width) return blockTable([folders], inOneLine, width)
  const named = keyColumn('run', namesOf(runs, root), width)
  if (tableWidth([named, ...inOneLine]) <= width) return blockTable([named], inOneLine, width)
  return narrowTable(named, figures, width)
}

function folderIn(root: string, folder: string): string {
  return relative(root, folder) || '.'
}

/** Returns a table whose columns do not fit side by side, with the values that all runs share in a line below it. */
function narrowTable(key: Column, figures: readonly Column[], width: number): readonly Line[] {
  const isCommon = ({ header, cells }: Column) =>
    ['name', 'status', 'epoch', 'device'].includes(header) &&
    cells.length > 1 &&
    cells.every(({ text }) => text === cells[0]!.text)
  const lines = blockTable(
    [key],
    figures.filter((each) => !isCommon(each)),
    width,
  )
  const common = figures.filter(isCommon).map(({ header, cells }) => `${header} ${cells[0]!.text}`)
  if (common.length === 0) return lines
  const list = common.join(', ').replace(/, ([^,]*)$/, ' and $1')
  return [...lines, [], [span(`All runs have ${list}.`)]]
}

// Space for at least two more columns.
const spaceForFigures = 24

function keyColumn(header: string, texts: readonly string[], width: number): Column {
  return textColumn(
    header,
    'left',
    truncateDistinct(texts, Math.max(spaceForFigures, width - spaceForFigures)),
  )
}

/** Returns "eigen weight=0.1/seed-0" for the runs of a sweep's arms, and the folders of the other runs. */
function namesOf(runs: readonly Run[], root: string): readonly string[] {
  const sweeps = new Map<string, SavedSweep | undefined>()
  return runs.map(({ folder }) => {
    const arm = dirname(resolve(folder))
    const parent = dirname(arm)
    if (!sweeps.has(parent)) sweeps.set(parent, savedSweepIn(parent))
    const place = placeInSweep(basename(arm), sweeps.get(parent))
    if (place === null) return folderIn(root, folder)
    return join(relative(root, parent), nameInSweep(place), basename(resolve(folder)))
  })
}

/** A damaged sweep.json is reported by `verify` and `compare`. */
function savedSweepIn(folder: string): SavedSweep | undefined {
  try {
    return readSavedSweep(folder)
  } catch (error) {
    knownError(error)
    return undefined
  }
}

const statusStyles: Readonly<Record<Run['status'], readonly Style[]>> = {
  completed: [],
  failed: ['red'],
  damaged: ['red'],
  interrupted: ['yellow'],
  running: ['green'],
}

function usualColumns(runs: readonly Run[]): readonly Column[] {
  const usual = (name: string, header = name) => ({ ...columnOf(knownField(name), runs), header })
  const statuses = runs.map(({ status }) => span(status, ...statusStyles[status]))
  const epochs = runs.map((run) => `${lastEpoch(run)}/${run.record.epochs}`)
  return [
    usual('name'),
    usual('seed'),
    { header: 'status', alignment: 'left', cells: statuses },
    textColumn('epoch', 'right', epochs),
    usual('device'),
    ...listedMetrics.map((metric) => usual(metric, meaningOf(metric).label)),
  ]
}

function columnOf(field: Field, runs: readonly Run[]): Column {
  const isText = field.type === 'text' || field.type === 'words'
  return textColumn(
    field.name,
    isText ? 'left' : 'right',
    runs.map((run) => cell(field, run)),
  )
}

function cell({ of, format }: Field, run: Run): string {
  if (format !== undefined) return format(run)
  const value = of(run)
  if (value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Returns a run as --json prints it. */
export function jsonOf(run: Run, added: readonly Field[]): object {
  const { record, damage, notes } = run
  return {
    ...valuesOf(run, usualFields),
    error: record.status === 'failed' ? record.error : null,
    damage,
    tags: notes.tags,
    note: notes.note || null,
    ...valuesOf(run, added),
  }
}

/** Returns the runs as CSV. */
export function csvOf(runs: readonly Run[], added: readonly Field[]): string {
  const fields = [...usualFields, ...added]
  const names = fields.map(({ name }) => name)
  return csvText(
    names,
    runs.map((run) => valuesOf(run, fields)),
  ).trimEnd()
}

function valuesOf(run: Run, fields: readonly Field[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(fields.map(({ name, of }) => [name, of(run)]))
}
