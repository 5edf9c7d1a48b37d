import { join } from 'node:path'
import { summarise } from '../comparison/statistics.js'
import { valueAt } from '../config/json.js'
import type { Halving } from '../config/sweep.js'
import { parseJsonIfValid, readTextIfPresent } from '../files/read.js'
import { groupBy } from '../group-by.js'
import { runFiles } from '../runs/files.js'
import { inspectRun } from '../runs/inspect.js'
import { collect } from '../runs/integrity.js'
import { type Metric, meaningOf, metricOf } from '../runs/metrics.js'
import { withEpochs } from '../runs/resume.js'
import { type MetricsRow, metricsColumns, tableRows } from '../runs/tables.js'
import type { Arm, PlannedRun, SweepPlan } from './plan.js'

// Successive halving (Jamieson and Talwalkar 2016): all trials train to the first rung, the best of them to the second, and
// so on. A trial that stops at a rung is a complete run with the epochs of that rung. A promoted trial is lengthened, which
// gives the same bytes as if it had had all epochs at once: src/runs/resume.ts has the reason.

/** A number of epochs, and the trials that train to it, in the order of the plan. */
export interface Rung {
  readonly epochs: number
  readonly trials: readonly Arm[]
}

/** The metric of a run after a number of epochs; null if it cannot be had, undefined if the run has yet to train them. */
type ValueAfter = (run: PlannedRun, epochs: number) => number | null | undefined

/**
 * Returns the rungs that the trials have reached; those of the last one may have yet to train to it. Each decision depends
 * only on the values at its rung, so it is the same for any order of the runs, and for runs that have trained longer.
 */
export function climb(
  { arms, runs }: Pick<SweepPlan, 'arms' | 'runs'>,
  halving: Halving,
  valueAfter: ValueAfter,
): readonly Rung[] {
  const runsOf = groupBy(runs, ({ arm }) => arm)
  const rungs: Rung[] = []
  let trials = arms.filter(({ trial }) => trial !== null)
  for (const epochs of halving.epochs) {
    rungs.push({ epochs, trials })
    const values = new Map(
      trials.map((trial) => [trial, runsOf.get(trial)!.map((run) => valueAfter(run, epochs))]),
    )
    if ([...values.values()].flat().includes(undefined)) break
    const families = groupBy(trials, ({ family }) => family)
    const kept = new Set([...families.values()].flatMap((rivals) => bestOf(rivals, values, halving)))
    trials = trials.filter((trial) => kept.has(trial))
  }
  return rungs
}

/** Returns the share of the trials with the best means, of equal ones those with the narrower interval. */
function bestOf(
  rivals: readonly Arm[],
  valuesOf: ReadonlyMap<Arm, readonly (number | null | undefined)[]>,
  { metric, keep }: Halving,
): readonly Arm[] {
  const sign = meaningOf(metric as Metric).better === 'higher' ? -1 : 1
  const measured = rivals.flatMap((arm) => {
    const values = valuesOf.get(arm)!.filter((value) => typeof value === 'number')
    return values.length < valuesOf.get(arm)!.length ? [] : [{ arm, ...summarise(values) }]
  })
  // The width of the interval grows with the standard deviation, as all trials have the same seeds. Equal trials keep their order.
  return measured
    .sort((a, b) => sign * (a.mean - b.mean) || (a.sd ?? 0) - (b.sd ?? 0))
    .slice(0, keptOf(rivals.length, keep))
    .map(({ arm }) => arm)
}

/** Returns the number of trials that are promoted from a rung. */
function keptOf(trials: number, keep: number): number {
  return Math.max(1, Math.round(keep * trials))
}

/** Returns the sizes of the rungs of a halving if no run fails; none without a halving. */
export function plannedRungs({ arms, sweep }: SweepPlan) {
  const halving = sweep.search?.halving
  if (!halving) return []
  const trials = arms.filter(({ trial }) => trial !== null)
  let sizes = [...groupBy(trials, ({ family }) => family).values()].map(({ length }) => length)
  return halving.epochs.map((epochs, index) => {
    if (index > 0) sizes = sizes.map((size) => keptOf(size, halving.keep))
    const size = sizes.reduce((sum, each) => sum + each, 0)
    return { rung: index + 1, epochs, trials: size, runs: size * sweep.seeds.length }
  })
}

/**
 * Returns the rungs that the runs in a sweep's folder have reached, and all runs with the epochs that they are to have for
 * that: those of their last rung, or more if they were promoted before trials were added.
 * @param failed the names of the runs that are not to be launched again
 */
export function climbIn(folder: string, plan: SweepPlan, failed: ReadonlySet<string>) {
  const halving = plan.sweep.search?.halving ?? null
  if (halving === null) return { rungs: [], runs: plan.runs }
  const metric = halving.metric as Metric
  const trained = new Map(plan.runs.map(({ name }) => [name, readTraining(join(folder, name))]))
  const rungs = climb(plan, halving, ({ name, config }, epochs) => {
    const training = trained.get(name)!
    const metrics = training.rows.filter((row) => row.epoch <= epochs)
    const isReached = metrics.at(-1)?.epoch === epochs && (training.isComplete || training.epochs > epochs)
    if (isReached)
      return metricOf({ config, metrics, linearProbeAccuracy: null, neighbourAccuracy: null }, metric)
    return failed.has(name) ? null : undefined
  })
  const last = halving.epochs.at(-1)!
  const epochsOf = new Map(rungs.flatMap(({ epochs, trials }) => trials.map((trial) => [trial, epochs])))
  const runs = plan.runs.map((run) => {
    const { epochs } = trained.get(run.name)!
    const target = epochsOf.get(run.arm) ?? last
    return { ...run, config: withEpochs(run.config, epochs <= last ? Math.max(epochs, target) : target) }
  })
  return { rungs, runs }
}

/** The training of a run that its folder holds. */
interface Training {
  /** Those of its config; 0 if it has not begun. */
  readonly epochs: number
  readonly isComplete: boolean
  /** None if the run is damaged. */
  readonly rows: readonly MetricsRow[]
}

function readTraining(folder: string): Training {
  const files = runFiles(folder)
  const run = collect([], 'run.json', () => inspectRun(files, 'tables'))
  if (run === undefined) {
    const config = parseJsonIfValid(collect([], 'config.json', () => readTextIfPresent(files.config)))
    const epochs = valueAt(config, ['train', 'epochs'])
    return { epochs: typeof epochs === 'number' ? epochs : 0, isComplete: false, rows: [] }
  }
  const { record, contents, damage } = run
  const rows = damage.length > 0 ? [] : [...tableRows(contents['metrics.csv'], files.metrics, metricsColumns)]
  return { epochs: record.epochs, isComplete: record.status === 'completed', rows }
}
