import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { EigenaeError } from '../errors.js'
import { isLocked } from '../files/lock.js'
import { notesName, runFiles } from '../runs/files.js'
import { lacksPlan, runsNamedByAll } from '../runs/find.js'
import { verifyRun } from '../runs/inspect.js'
import { collect, type Damage, damageText, remakeHint } from '../runs/integrity.js'
import { readNotes } from '../runs/notes.js'
import { misplacedHint, planFile, readPlan, SweepPlans } from '../runs/sweep-plan.js'
import { sweepFiles } from '../sweeps/folder.js'
import { eigenaeCommand } from '../text/command-line.js'
import { count, countOf, shortened } from '../text/format.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'
import { warnOfDamagedPlans } from './shared/run-warnings.js'

export function verifyCommand() {
  return new Command('verify')
    .description('Check every file of runs against the checksums that the runs recorded')
    .argument('<run...>', 'run folders, or folders of runs at any depth')
    .option('--json', 'print the results as JSON', false)
    .addHelpText(
      'after',
      `
Prints one line per run: ok, incomplete (undamaged up to its last checkpoint), or damaged, with each file and the reason. A
run of a sweep is also damaged if its folder is that of another run. The exit code is 1 if a run is damaged.
"train --resume" remakes a damaged run, from its checkpoint if that is undamaged, or else from the beginning.

Example:
  eigenae verify runs/eigen`,
    )
    .action(verify)
}

const maximumDetails = 20
const planHint = `To remake a sweep.json, repeat its sweep with --resume (${eigenaeCommand('sweep … --resume')}).`

interface VerifiedFolder {
  readonly folder: string
  readonly state: 'ok' | 'incomplete' | 'damaged'
  readonly note: string
  readonly damage: readonly Damage[]
  /** The advice if it is damaged. */
  readonly hint: string
}

async function verify(named: readonly string[], { json }: { readonly json: boolean }): Promise<void> {
  const { runs: folders, unreadable } = await runsNamedByAll(named)
  const plans = new SweepPlans()
  const sweeps = sweepFolders(named, folders)
  warnOfMissingPlans(sweeps, folders)
  await warnOfMissingRuns(sweeps, folders, plans)
  const damagedPlans = sweeps.flatMap(damagedSweep)
  const runs: VerifiedFolder[] = []
  for (const folder of folders) runs.push(await verifiedRun(folder, plans))
  warnOfDamagedPlans(plans)
  const checked = [...damagedPlans, ...runs]
  if (json) writeJson(checked.map(({ folder, state, damage }) => ({ folder, state, damage })))
  else writeResult(alignedTable(checked.map(({ folder, state, note }) => [folder, state, note])))
  const damaged = checked.filter(({ state }) => state === 'damaged')
  if (damaged.length > 0) {
    const damagedRuns = damaged.length - damagedPlans.length
    const problems = [
      ...(damagedPlans.length > 0 ? [count(damagedPlans.length, 'damaged sweep.json')] : []),
      ...(damagedRuns > 0 ? [`${countOf(damagedRuns, runs.length, 'run')} damaged`] : []),
    ]
    const hints = new Set(damaged.map(({ hint }) => hint))
    throw new EigenaeError({
      problem: problems.join(', '),
      details: damaged.slice(0, maximumDetails).map(({ folder, note }) => `${folder}: ${note}`),
      hint: [planHint, misplacedHint, remakeHint].filter((hint) => hints.has(hint)).join('\n'),
    })
  }
  if (unreadable.length > 0) throw unreadable[0]!
}

/** Returns the named folders, and those inside them, in which a sweep may have made the runs. */
function sweepFolders(named: readonly string[], runs: readonly string[]): readonly string[] {
  const isNamed = (folder: string) =>
    named.some((top) => `${resolve(folder)}/`.startsWith(`${resolve(top)}/`))
  return [...new Set(runs.map(sweepOf))].filter(isNamed)
}

function sweepOf(run: string): string {
  return join(run, '..', '..')
}

/** Warns of each folder whose runs were made by a sweep but which has no sweep.json. */
function warnOfMissingPlans(sweeps: readonly string[], runs: readonly string[]): void {
  const lacking = new Set(runs.filter((run) => lacksPlan(sweepOf(run), run)).map(sweepOf))
  for (const folder of sweeps)
    if (lacking.has(folder))
      writeMessage(`${planFile(folder)}: is missing; "${eigenaeCommand('sweep … --resume')}" writes it again`)
}

/** Warns of the runs that a sweep.json lists and that are not there, unless the sweep is running. */
async function warnOfMissingRuns(
  sweeps: readonly string[],
  runs: readonly string[],
  plans: SweepPlans,
): Promise<void> {
  const present = new Set(runs.map((run) => resolve(run)))
  for (const folder of sweeps) {
    const plan = plans.read(folder)
    if (plan === undefined || plan instanceof EigenaeError) continue
    const missing = plan.runs.filter((run) => !present.has(resolve(folder, run)))
    if (missing.length === 0 || (await isLocked(sweepFiles(folder).lock))) continue
    const names = shortened(missing, maximumDetails).join(', ')
    writeMessage(
      `${planFile(folder)}: ${missing.length} of its ${count(plan.runs.length, 'run')} ${missing.length === 1 ? 'is' : 'are'} missing: ${names}; "sweep … --resume" trains what is missing`,
    )
  }
}

function damagedSweep(folder: string): readonly VerifiedFolder[] {
  const damage: Damage[] = []
  collect(damage, 'sweep.json', () => readPlan(folder))
  return damage.length === 0 ? [] : [damagedFolder(folder, damage, planHint)]
}

function damagedFolder(folder: string, damage: readonly Damage[], hint: string): VerifiedFolder {
  return { folder, state: 'damaged', note: damage.map(damageText).join('; '), damage, hint }
}

async function verifiedRun(folder: string, plans: SweepPlans): Promise<VerifiedFolder> {
  const files = runFiles(folder)
  // A running process may be writing a file, so a damaged run is checked again.
  const first = verifyRun(files)
  const again = first.damage.length > 0 && (await isLocked(files.lock)) ? verifyRun(files) : first
  const { record, damage, surplus } = again
  if (surplus.length > 0 && !(await isLocked(files.lock)))
    writeMessage(`${folder}: ${surplus.join(', ')}: has rows after the last checkpoint, which a resume drops`)
  const notes: Damage[] = []
  collect(notes, notesName, () => readNotes(files.notes))
  // The run itself is not damaged, and training it again would not bring the notes back.
  if (notes.length > 0) writeMessage(`${folder}: ${notes.map(damageText).join('; ')}`)
  const reason = record === null ? null : plans.misplacement(folder, record)
  if (damage.length > 0 || reason !== null) {
    const misplaced = reason === null ? [] : [{ file: 'config.json', reason }]
    return damagedFolder(folder, [...damage, ...misplaced], damage.length > 0 ? remakeHint : misplacedHint)
  }
  const undamaged = { folder, damage, hint: '' }
  if (record!.status === 'completed') return { ...undamaged, state: 'ok', note: '' }
  return { ...undamaged, state: 'incomplete', note: `${record!.status}; undamaged up to its last checkpoint` }
}
