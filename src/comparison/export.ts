import type { Metric } from '../runs/metrics.js'
import type { Arm, Comparison, Result } from './compare.js'

/** How a comparison.json is told from a file of someone else's. */
export const format = 'eigenae-comparison-1'

/** The columns of comparison.csv, in the file's order. */
export const comparisonColumns = [
  'group',
  'metric',
  'n',
  'mean',
  'sd',
  'low',
  'high',
  'difference',
  'p_value',
] as const

/** A row of comparison.csv: null is written as an empty field. p_value is corrected by Holm's method. */
export function csvRow({ arm, metric, summary, versus }: Result) {
  return {
    group: arm.name,
    metric,
    n: summary.n,
    mean: summary.mean,
    sd: summary.sd,
    low: summary.interval?.low ?? null,
    high: summary.interval?.high ?? null,
    difference: versus?.difference ?? null,
    p_value: versus?.correctedP ?? null,
  }
}

/** comparison.json, and what --json prints: the rows of comparison.csv with what lies behind them. */
export function asJson({ arms, results, warnings }: Comparison, metric?: Metric) {
  const chosen = metric === undefined ? results : results.filter((result) => result.metric === metric)
  return {
    format,
    baseline: arms[0]!.name,
    warnings,
    groups: arms.map(groupJson),
    rows: chosen.map((result) => ({ ...csvRow(result), ...testJson(result), best: result.best })),
  }
}

function groupJson({ name, label, difference, config, runs, leftOut }: Arm) {
  return {
    group: name,
    label,
    difference,
    seeds: runs.map(({ record }) => record.seed),
    runs: runs.map(({ folder }) => folder),
    left_out: leftOut.map(({ folder, status }) => ({ run: folder, status })),
    config,
  }
}

function testJson({ versus }: Result) {
  return {
    difference_low: versus?.interval?.low ?? null,
    difference_high: versus?.interval?.high ?? null,
    test: versus?.test?.kind ?? null,
    t: versus?.test?.t ?? null,
    degrees_of_freedom: versus?.test?.degreesOfFreedom ?? null,
    p_value_uncorrected: versus?.test?.p ?? null,
    hedges_g: versus?.hedgesG ?? null,
  }
}
