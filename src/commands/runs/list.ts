import { EigenaeError, firstLine, knownError } from '../../errors.js'
import { runFiles } from '../../runs/files.js'
import { findRuns } from '../../runs/find.js'
import { damageText, remakeHint } from '../../runs/integrity.js'
import { type Run, readRun, readRuns } from '../../runs/read.js'
import { misplacedHint, SweepPlans } from '../../runs/sweep-plan.js'
import { count, countOf } from '../../text/format.js'
import {
  resultSpace,
  writeJson,
  writeLines,
  writeMessage,
  writeResult,
  writeWarning,
} from '../../text/output.js'
import { warnOfDamagedPlans } from '../shared/sweep-plans.js'
import { type Expression, type Field, requireField, selectRuns, sortField } from './query.js'
import { csvOf, isUsual, jsonOf, tableOf } from './tables.js'

interface RunsFlags {
  readonly where: readonly Expression[]
  readonly sort?: string
  readonly top?: number
  readonly columns: readonly string[]
  readonly json: boolean
  readonly csv: boolean
}

/** Lists the readable runs, then fails if a run or a folder cannot be read. */
export async function listRuns(folder: string, flags: RunsFlags): Promise<void> {
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
  return [...byName.values()].filter(({ name }) => !isUsual(name))
}
