import { createObjectCsvStringifier } from 'csv-writer'
import { beginsWith } from '../files/own-files.js'
import type { Metric } from '../runs/metrics.js'
import { withoutFormula } from '../text/format.js'
import type { Arm, Comparison, Result } from './compare.js'

const format = 'eigenae-comparison-1'

/** The columns of comparison.csv, in the order of the file. */
const columns = ['group', 'metric', 'n', 'mean', 'sd', 'low', 'high', 'difference', 'p_value'] as const

/** Recognise earlier files. */
export const comparisonMarks = {
  json: beginsWith(`{\n  "format": "${format}",`),
  csv: beginsWith(`${columns.join(',')}\n`),
} as const

export function comparisonCsv({ results }: Comparison): string {
  const csv = createObjectCsvStringifier({ header: columns.map((id) => ({ id, title: id })) })
  const rows = results.map(csvRow).map((row) => ({ ...row, group: withoutFormula(row.group) }))
  return (csv.getHeaderString() ?? '') + csv.stringifyRecords(rows)
}

/** A row of comparison.csv. null becomes an empty field; p_value is corrected by Holm's method. */
function csvRow({ arm, metric, summary, versus }: Result) {
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

/** comparison.json, also printed by --json: the rows of comparison.csv with the arms and tests behind them. */
export function comparisonJson({ arms, baseline, results, warnings }: Comparison, metric?: Metric) {
  const chosen = metric === undefined ? results : results.filter((result) => result.metric === metric)
  return {
    format,
    baseline: baseline.name,
    warnings,
    groups: arms.map(armJson),
    rows: chosen.map((result) => ({ ...csvRow(result), ...testJson(result), best: result.best })),
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
  }
}
