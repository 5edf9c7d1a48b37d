import { join, relative } from 'node:path'
import { EigenaeError, firstLine } from '../../errors.js'
import { refuseUsedFolder, writeFolder } from '../../exports/models/folder.js'
import { modelFormats } from '../../exports/models/index.js'
import { tensorboard, tensorboardFiles } from '../../exports/tensorboard.js'
import { requireInnerFolders } from '../../files/folder.js'
import { runFiles } from '../../runs/files.js'
import { runsNamed } from '../../runs/find.js'
import { readTimings, readWholeRun } from '../../runs/read.js'
import { SweepPlans } from '../../runs/sweep-plan.js'
import { commandLine } from '../../text/command-line.js'
import { count } from '../../text/format.js'
import { writeMessage, writeResult } from '../../text/output.js'
import { warnOfDamagedPlans } from '../shared/sweep-plans.js'

export interface TensorboardOptions {
  readonly out: string
  readonly overwrite: boolean
}

/**
 * Writes the course of a run, or of every run in a folder, and prints the names of the files. A run below the named
 * folder gets the same path below `out`, because TensorBoard names runs by their folders.
 */
export async function exportForTensorboard(
  named: string,
  { out, overwrite }: TensorboardOptions,
): Promise<void> {
  const { runs, unreadable } = await runsNamed(named)
  const targets = runs.map((run) => ({ run, folder: join(out, relative(named, run)) }))
  const formats = [...modelFormats, tensorboard]
  const replaced = new Map<string, readonly string[]>()
  for (const { folder } of targets) {
    await requireInnerFolders(out, folder)
    replaced.set(folder, await refuseUsedFolder(folder, overwrite, formats))
  }
  const failures: unknown[] = [...unreadable]
  const plans = new SweepPlans()
  for (const { run, folder } of targets) {
    try {
      await exportCourse(run, folder, replaced.get(folder)!, plans)
    } catch (error) {
      if (!(error instanceof EigenaeError) || runs.length === 1) throw error
      failures.push(error)
    }
  }
  warnOfDamagedPlans(plans)
  if (runs.length > failures.length) writeMessage(`open: ${commandLine(['tensorboard', '--logdir', out])}`)
  if (failures.length === 0) return
  throw new EigenaeError({
    problem: `${count(failures.length, 'run')} could not be exported`,
    subject: named,
    details: failures.map(firstLine),
  })
}

async function exportCourse(
  folder: string,
  out: string,
  replaced: readonly string[],
  plans: SweepPlans,
): Promise<void> {
  const run = await readWholeRun(folder)
  plans.requirePlaced(folder, run.record)
  const epochs = run.metrics.length
  // A running process may have written more rows since.
  const timings = readTimings(runFiles(folder).timings).slice(0, epochs)
  if (run.status !== 'completed')
    writeMessage(`${folder}: not complete (${run.status}); exporting ${count(epochs, 'epoch')}`)
  const files = await tensorboardFiles(run, timings)
  await writeFolder(out, files, replaced)
  for (const { name } of files) writeResult(join(out, name))
}
