import { createObjectCsvStringifier } from 'csv-writer'
import { beginsWith } from '../files/own-files.js'
import type { Metric } from '../runs/metrics.js'
import { withoutFormula } from '../text/format.js'
import type { Arm, Comparison, Result } from './comparison.js'

const format = 'eigenae-comparison-1'

// The columns of version 0.1. Later ones follow them, so that programs that count columns still work.
const firstColumns = ['group', 'metric', 'n', 'mean', 'sd', 'low', 'high', 'difference', 'p_value'] as const

/** The columns of comparison.csv, in the order of the file. */
const columns = [
  ...firstColumns,
  'label',
  'hedges_g',
  'p_value_uncorrected',
  'difference_low',
  'difference_high',
  'detectable_difference',
] as const

/** Recognise earlier files, those of version 0.1 included. */
export const comparisonMarks = {
  json: beginsWith(`{\n  "format": "${format}",`),
  csv: beginsWith(firstColumns.join(',')),
} as const

export function comparisonCsv({ results }: Comparison): string {
  const csv = createObjectCsvStringifier({ header: columns.map((id) => ({ id, title: id })) })
  const rows = results.map((result) => ({
    ...row(result),
    ...testJson(result),
    group: withoutFormula(result.arm.name),
    label: withoutFormula(result.arm.label),
  }))
  return (csv.getHeaderString() ?? '') + csv.stringifyRecords(rows)
}

/** The first columns of comparison.csv. null becomes an empty field; p_value is corrected by Holm's method. */
function row({ arm, metric, summary, versus }: Result) {
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

/** comparison.json, also printed by --json: the rows of comparison.csv with their arms and tests. */
export function comparisonJson({ arms, baseline, results, warnings }: Comparison, metric?: Metric) {
  const chosen = metric === undefined ? results : results.filter((result) => result.metric === metric)
  return {
    format,
    baseline: baseline.name,
    warnings,
    groups: arms.map(armJson),
    rows: chosen.map((result) => ({
      ...row(result),
      label: result.arm.label,
      ...testJson(result),
      best: result.best,
    })),
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

function testJson({ versus }: Result) {
  return {
    difference_low: versus?.interval?.low ?? null,
    difference_high: versus?.interval?.high ?? null,
    test: versus?.test?.kind ?? null,
    t: versus?.test?.t ?? null,
    degrees_of_freedom: versus?.test?.degreesOfFreedom ?? null,
    p_value_uncorrected: versus?.test?.p ?? null,
    hedges_g: versus?.hedgesG ?? null,
    detectable_difference: versus?.detectable ?? null,
  }
}
