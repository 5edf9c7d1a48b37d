/**
 * How a comparison is made: arguments → arms → completed runs (arms.ts) → statistics (results.ts). tables.ts makes tables of
 * the results; terminal.ts prints them, papers.ts, export.ts and src/report write them to files.
 */
import { usageError } from '../errors.js'
import { metrics } from '../runs/metrics.js'
import { misplacedHint } from '../runs/sweep-plan.js'
import { eigenaeCommand } from '../text/command-line.js'
import { readArms } from './arms.js'
import type { ArmRuns, Comparison } from './comparison.js'
import { armLabels, labelArms } from './labels.js'
import { resultsOf } from './results.js'
import { commonSweep } from './sweep-arms.js'
import { warningsOf } from './warnings.js'

/** Reads the arms and compares them with the baseline. */
export async function compareRuns(
  folders: readonly string[],
  baseline: string | undefined,
): Promise<Comparison> {
  const { arms: read, baseline: reference, notes } = await readArms(folders, baseline)
  requireCompletedRun(reference)
  const labels = new Map(armLabels(read).map((label, index) => [read[index]!, label]))
  const complete = read.filter(({ runs }) => runs.length > 0)
  const dropped = read.filter(({ runs }) => runs.length === 0)
  const arms = labelArms(complete, labels, reference)
  return {
    arms,
    baseline: arms.find((arm) => arm.baseline)!,
    sweep: commonSweep(arms),
    results: metrics.flatMap((metric) => resultsOf(arms, metric)),
    dropped: dropped.map((arm) => ({ ...arm, label: labels.get(arm)! })),
    warnings: [...notes, ...warningsOf(complete, dropped)],
  }
}

/** @throws a usage error if the baseline has no completed run. */
function requireCompletedRun({ name, runs, leftOut, unusable }: ArmRuns): void {
  if (runs.length > 0) return
  const areMisplaced =
    leftOut.length === 0 && unusable.every(({ error }) => error.parts.hint === misplacedHint)
  const finish = `Finish it with ${eigenaeCommand('train … --resume')}, or name another baseline.`
  const hint = areMisplaced ? misplacedHint : finish
  throw usageError({
    problem: 'holds no completed run',
    subject: name,
    details: [
      ...leftOut.map((run) => `${run.folder}: ${run.status}`),
      ...unusable.flatMap(({ error }) => error.message.split('\n')).filter((line) => line !== hint),
    ].slice(0, 10),
    hint,
  })
}
