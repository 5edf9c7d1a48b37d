/**
 * How a comparison is made: arguments → arms → completed runs (arms.ts) → statistics (results.ts). tables.ts makes tables of
 * the results; terminal.ts prints them, papers.ts, export.ts and src/pages/report write them to files.
 */
import { usageError } from '../errors.js'
import { metrics } from '../runs/metrics.js'
import { misplacedHint } from '../runs/sweep-plan.js'
import { eigenaeCommand } from '../text/command-line.js'
import { type ReadArms, readArms } from './arms.js'
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
  const read = await readArms(folders, baseline)
  requireCompletedRun(read.baseline)
  const complete = read.arms.filter(({ runs }) => runs.length > 0)
  const dropped = read.arms.filter(({ runs }) => runs.length === 0)
  return compareArms(read, complete, warningsOf(complete, dropped))
}

/**
 * Compares the completed runs of some of the arms that were read.
 * @param compared arms with completed runs, or with runs that train: they have no results yet. The first is the baseline if
 * that of `read` is not among them
 */
export function compareArms(
  { arms: all, baseline, notes }: ReadArms,
  compared: readonly ArmRuns[],
  warnings: readonly string[],
): Comparison {
  const labels = new Map(armLabels(all).map((label, index) => [all[index]!, label]))
  const isCompared = new Set(compared)
  const arms = labelArms(compared, labels, isCompared.has(baseline) ? baseline : compared[0]!)
  return {
    arms,
    baseline: arms.find((arm) => arm.baseline)!,
    sweep: commonSweep(arms),
    results: metrics.flatMap((metric) => resultsOf(arms, metric)),
    dropped: all.filter((arm) => !isCompared.has(arm)).map((arm) => ({ ...arm, label: labels.get(arm)! })),
    warnings: [...notes, ...warnings],
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
