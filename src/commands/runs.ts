import { basename, dirname, join, relative, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Command, Option } from 'commander'
import { nameInSweep } from '../comparison/labels.js'
import { placeInSweep, readSavedSweep, type SavedSweep } from '../comparison/sweep-arms.js'
import { EigenaeError, firstLine, knownError, usageError } from '../errors.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { runFiles } from '../runs/files.js'
import { findRuns, runsNamed } from '../runs/find.js'
import { damageText, remakeHint } from '../runs/integrity.js'
import { listedMetrics, meaningOf } from '../runs/metrics.js'
import { type RunNotes, readNotes, tagProblem, writeNotes } from '../runs/notes.js'
import { type Field, fieldNamed, lastEpoch, requireField, selectRuns, sortField } from '../runs/query.js'
import { type Run, readRun, readRuns } from '../runs/read.js'
import { misplacedHint, SweepPlans } from '../runs/sweep-plan.js'
import { count, countOf } from '../text/format.js'
import {
  resultSpace,
  writeJson,
  writeLines,
  writeMessage,
  writeResult,
  writeWarning,
} from '../text/output.js'
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
import { collectExpressions, type FlagsOf, wholeNumber } from './shared/options.js'
import { warnOfDamagedPlans } from './shared/run-warnings.js'

export const runsCommand = () =>
  declaration().action(listRuns).addCommand(tagCommand()).addCommand(untagCommand()).addCommand(noteCommand())

type RunsFlags = FlagsOf<typeof declaration>

function declaration() {
  return new Command('runs')
    .description('List the runs in a folder')
    .argument('[folder]', 'folder to search, at any depth', 'runs')
    .option(
      '--where <condition>',
      "list only runs that match, such as 'test_mse<0.03' (repeatable)",
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
A condition is a name, one of = != < <= > >=, and a value. A name is a metric (test_mse, linear_probe_accuracy, …: those of
eigenae compare, after the last epoch), a config path (train.batchSize), or one of folder, name, seed, status, epoch,
epochs, device, tags and note. A value is a number, a word, or JSON; null matches a run without the value. tags=WORD matches
the runs that have this tag.

Tags and notes are kept in the run's folder (notes.json). A run that is trained again with --overwrite loses them. A folder
that is called tag, untag or note is listed as ./tag.

Examples:
  eigenae runs runs/eigen
  eigenae runs runs/search --where 'optimizer.learningRate<0.01' --where status=completed --sort test_denoise_mse --top 10
  eigenae runs runs/search --sort -effective_rank --columns optimizer.learningRate,loss.eigen.weight --csv
  eigenae runs tag runs/eigen/seed-0 good figure-2 && eigenae runs --where tags=good`,
    )
}

function collectNames(list: string, before: readonly string[]): readonly string[] {
  const names = list.split(',').map((name) => name.trim())
  if (names.includes(''))
    throw usageError({ problem: `has an empty name (got "${list}")`, subject: '--columns' })
  return [...before, ...names]
}

function tagCommand() {
  return new Command('tag')
    .description('Add tags to a run, or to all runs in a folder')
    .argument('<run>', 'run folder, or folder of runs')
    .argument('<word...>', 'tags: letters, digits, dots, dashes, plus signs and underscores')
    .addHelpText('after', '\nExample:\n  eigenae runs tag runs/eigen/seed-0 good figure-2')
    .action(addTags)
}

function untagCommand() {
  return new Command('untag')
    .description('Remove tags from a run, or from all runs in a folder')
    .argument('<run>', 'run folder, or folder of runs')
    .argument('<word...>', 'tags')
    .addHelpText('after', '\nExample:\n  eigenae runs untag runs/eigen/seed-0 good')
    .action(removeTags)
}

function noteCommand() {
  return new Command('note')
    .description('Write a note on a run, or on all runs in a folder, in place of an earlier one')
    .argument('<run>', 'run folder, or folder of runs')
    .argument('[text...]', 'the note')
    .option('--remove', 'remove the note', false)
    .option('--overwrite', 'replace the notes of a folder even if single runs have notes of their own', false)
    .addHelpText('after', "\nExample:\n  eigenae runs note runs/eigen/seed-0 'the run of figure 2'")
    .action(setNote)
}

/** Lists the readable runs, then fails if a run or a folder cannot be read. */
async function listRuns(folder: string, flags: RunsFlags): Promise<void> {
  const { runs: folders, unreadable } = await findRuns(folder)
  const all = await readRuns(folders, (run) => readRun(run).catch(knownError))
  const plans = new SweepPlans()
  const found = all.flatMap((each) => (each instanceof EigenaeError ? [] : [withPlace(each, plans)]))
  const errors = all.flatMap((each) => (each instanceof EigenaeError ? [each] : []))
  const { where, sort, top } = flags
  const selected = selectRuns(found, { where, sort, top })
  const added = addedColumns(flags, found)
  if (flags.json) writeJson(selected.map((run) => jsonOf(run, added)))
  else if (flags.csv) writeResult(csvOf(selected, added))
  else if (all.length === 0) writeMessage(`no runs in ${folder}`)
  else if (selected.length > 0) writeLines(tableOf(selected, folder, added, resultSpace().columns))
  else if (found.length > 0)
    writeMessage(
      found.length === 1
        ? `the run in ${folder} does not match`
        : `none of the ${count(found.length, 'run')} in ${folder} matches`,
    )
  for (const { notesError } of found) if (notesError !== null) writeWarning(firstLine(notesError))
  for (const { folder: run, damage } of found)
    if (damage.length > 0) writeWarning(`${run}: ${damage.map(damageText).join('; ')}`)
  if (found.some(({ damage }) => damage.length > 0)) writeMessage(remakeHint)
  for (const { folder: run, misplacement } of found)
    if (misplacement !== null) writeWarning(`${runFiles(run).config}: ${misplacement}`)
  if (found.some(({ misplacement }) => misplacement !== null)) writeMessage(misplacedHint)
  warnOfDamagedPlans(plans)
  if (errors.length + unreadable.length === 0) return
  throw new EigenaeError({
    problem: [
      ...(errors.length > 0 ? [`${countOf(errors.length, all.length, 'run')} cannot be read`] : []),
      ...(unreadable.length > 0 ? [`${count(unreadable.length, 'folder')} in it cannot be read`] : []),
    ].join(', '),
    subject: folder,
    details: [...errors, ...unreadable].map(({ message }) => message),
  })
}

/** Adds why a run is not the one that its sweep planned for its folder; null if it is. Such a run counts as damaged. */
function withPlace(run: Run, plans: SweepPlans): Run & { readonly misplacement: string | null } {
  const misplacement = plans.misplacement(run.folder, run.record)
  return { ...run, misplacement, status: misplacement === null ? run.status : 'damaged' }
}

/** Returns the columns of --columns and the one of --sort, each once, without those that are listed anyway. */
function addedColumns({ columns, sort }: RunsFlags, runs: readonly Run[]): readonly Field[] {
  const fields = [
    ...(sort === undefined ? [] : [sortField(sort, runs)]),
    ...columns.map((name) => requireField(name, '--columns', runs)),
  ]
  const byName = new Map(fields.map((field) => [field.name, field]))
  return [...byName.values()].filter(({ name }) => !usualNames.includes(name))
}

/** The values that every listing has. */
const usualNames = ['folder', 'name', 'seed', 'status', 'epoch', 'epochs', 'device', ...listedMetrics]

const usualFields = usualNames.map(knownField)

function knownField(name: string): Field {
  return fieldNamed(name, [])!
}

/**
 * Returns the runs as a table for people, with the added columns last. On a terminal that is too narrow, runs of sweeps are
 * called by the short names of their arms, and columns with a single value are in a line of their own.
 * @param width the terminal's
 */
function tableOf(
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
function jsonOf(run: Run, added: readonly Field[]): object {
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
function csvOf(runs: readonly Run[], added: readonly Field[]): string {
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

export async function addTags(named: string, words: readonly string[]): Promise<void> {
  for (const word of words) {
    const problem = tagProblem(word)
    if (problem !== null) throw usageError({ problem: `tag "${word}" ${problem}`, subject: named })
  }
  await changeNotes(named, (notes) => ({ ...notes, tags: [...new Set([...notes.tags, ...words])] }))
}

async function removeTags(named: string, words: readonly string[]): Promise<void> {
  const without = (notes: RunNotes) => ({ ...notes, tags: notes.tags.filter((tag) => !words.includes(tag)) })
  const unchanged = `no run has the tag${words.length === 1 ? '' : 's'} ${words.join(', ')}`
  await changeNotes(named, without, unchanged)
}

async function setNote(
  named: string,
  words: readonly string[],
  { remove, overwrite }: { readonly remove: boolean; readonly overwrite: boolean },
): Promise<void> {
  const note = words.join(' ').trim()
  if (remove === (note !== ''))
    throw usageError({
      problem: remove ? '--remove takes no text' : 'the text is missing',
      subject: named,
      hint: 'Put the note after the run, or remove it with --remove.',
    })
  const requireSharedNote = (before: readonly NotedRun[]) => {
    const own = before.filter((run) => run.notes.note !== '' && run.notes.note !== note)
    if (overwrite || new Set(before.map((run) => run.notes.note)).size < 2 || own.length === 0) return
    throw usageError({
      problem: `${own.length} of its ${before.length} runs ${own.length === 1 ? 'has a note of its' : 'have notes of their'} own`,
      subject: named,
      details: own.slice(0, mostListed).map(({ folder, notes }) => `${folder}: ${notes.note}`),
      hint: 'Name a single run, or replace these notes with --overwrite.',
    })
  }
  await changeNotes(named, (notes) => ({ ...notes, note }), undefined, requireSharedNote)
}

// More lines would hide the hint.
const mostListed = 10

interface NotedRun {
  readonly folder: string
  readonly notes: RunNotes
}

/**
 * Changes the notes on the named runs. All are read before the first is written.
 * @param check throws if they must not be changed
 * @param unchanged the message if the change changes none of several runs
 */
async function changeNotes(
  named: string,
  change: (notes: RunNotes) => RunNotes,
  unchanged = 'no run changed',
  check?: (before: readonly NotedRun[]) => void,
): Promise<void> {
  const { runs, unreadable } = await runsNamed(named)
  if (unreadable.length > 0) throw unreadable[0]!
  const notesOf = (folder: string) => ({ folder, notes: readNotes(runFiles(folder).notes) })
  const before = runs.map(notesOf)
  check?.(before)
  let changed = 0
  for (const folder of runs) if (await changeNotesOf(folder, change)) changed++
  if (runs.length === 1) writeMessage(`${runs[0]}: ${describe(notesOf(runs[0]!).notes)}`)
  else if (changed === 0) writeMessage(unchanged)
  else writeMessage(`${changed}${changed === runs.length ? '' : ` of ${runs.length}`} runs changed`)
}

const longestWaitMilliseconds = 30_000

/** Changes the notes on a run while other commands that change them wait. Returns whether they differ from before. */
async function changeNotesOf(folder: string, change: (notes: RunNotes) => RunNotes): Promise<boolean> {
  const { notes: file, notesLock } = runFiles(folder)
  await acquireLock(notesLock, longestWaitMilliseconds)
  try {
    const before = readNotes(file)
    const notes = change(before)
    if (isDeepStrictEqual(notes, before)) return false
    await writeNotes(file, notes)
    return true
  } finally {
    await releaseLock(notesLock)
  }
}

function describe({ tags, note }: RunNotes): string {
  const parts = [
    ...(tags.length > 0 ? [`tags ${tags.join(', ')}`] : []),
    ...(note === '' ? [] : [`note "${note}"`]),
  ]
  return parts.length === 0 ? 'no tags and no note' : parts.join('; ')
}
