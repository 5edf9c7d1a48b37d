import { beginsWith } from '../files/own-files.js'
import type { Metric } from '../runs/metrics.js'
import { csvText } from '../text/csv.js'
import type { Arm, Comparison, Result } from './comparison.js'

const format = 'eigenae-comparison-1'

/** The columns of comparison.csv, in the order of the file: programs that count columns still work if another follows. */
const columns = [
  'group',
  'metric',
  'n',
  'mean',
  'sd',
  'low',
  'high',
  'difference',
  'p_value',
  'label',
  'hedges_g',
  'p_value_uncorrected',
  'difference_low',
  'difference_high',
  'detectable_difference',
] as const

/** Recognise earlier files, which may have fewer columns. */
export const comparisonMarks = {
  json: beginsWith(`{\n  "format": "${format}",`),
  csv: beginsWith(columns.slice(0, 9).join(',')),
} as const

export function comparisonCsv({ results }: Comparison): string {
  return csvText(columns, results.map(row))
}

/** A row of comparison.csv and comparison.json. p_value is corrected by Holm's method. */
function row({ arm, metric, summary, versus, best }: Result) {
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
    label: arm.label,
    difference_low: versus?.interval?.low ?? null,
    difference_high: versus?.interval?.high ?? null,
    test: versus?.test?.kind ?? null,
    t: versus?.test?.t ?? null,
    degrees_of_freedom: versus?.test?.degreesOfFreedom ?? null,
    p_value_uncorrected: versus?.test?.p ?? null,
    hedges_g: versus?.hedgesG ?? null,
    detectable_difference: versus?.detectable ?? null,
    best,
  }
}

/** comparison.json, also printed by --json: the rows of comparison.csv with their arms and tests. */
export function comparisonJson({ arms, baseline, results, warnings }: Comparison, metric?: Metric) {
  const chosen = metric === undefined ? results : results.filter((result) => result.metric === metric)
  return {
    format,
    baseline: baseline.name,
    warnings,
    groups: arms.map(armJson),
    rows: chosen.map(row),
  }
}

function armJson({ name, label, difference, settings, config, runs, leftOut }: Arm) {
  return {
    group: name,
    label,
    difference,
    seeds: runs.map(({ record }) => record.seed),
    runs: runs.map(({ folder }) => folder),
    left_out: leftOut.map(({ folder, status }) => ({ run: folder, status })),
    config,
    settings: Object.fromEntries(settings.map(({ path, value }) => [path, value ?? null])),
  }
}
