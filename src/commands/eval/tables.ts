import { resolve } from 'node:path'
import type { ArmFolders } from '../../comparison/arms.js'
import { armLabels } from '../../comparison/labels.js'
import { meanCells, metricColumn } from '../../comparison/main-table.js'
import { type Summary, summarise } from '../../comparison/statistics.js'
import { noteLines, sampleNotes } from '../../comparison/text.js'
import { formatMetric, type Metric, meaningOf, metricOfModel, modelMetrics } from '../../runs/metrics.js'
import { blockTable, type Column, unbroken } from '../../text/block-table.js'
import { share } from '../../text/format.js'
import { type Line, span } from '../../text/styled.js'
import type { EvaluatedRun } from './eval.js'

/** The measured runs of an arm. */
export interface MeasuredArm {
  readonly label: string
  readonly runs: readonly EvaluatedRun[]
}

/** Returns the arms of the runs with their labels. */
export function measuredArms(
  runs: readonly EvaluatedRun[],
  arms: readonly ArmFolders[],
): readonly MeasuredArm[] {
  const byFolder = new Map(runs.map((each) => [resolve(each.run.folder), each]))
  const labels = armLabels(arms)
  return arms
    .map((arm, index) => ({
      label: labels[index]!,
      runs: arm.runs.flatMap((folder) => byFolder.get(resolve(folder)) ?? []),
    }))
    .filter((arm) => arm.runs.length > 0)
}

/** Returns the figures and spectra of the runs and, if arms have several runs, their means. */
export function evaluationLines(
  runs: readonly EvaluatedRun[],
  arms: readonly MeasuredArm[],
  columns: number,
): readonly Line[] {
  return [
    ...figures(runs, columns),
    [],
    [span('spectrum σ/Σσ')],
    ...spectra(runs, columns),
    ...(arms.some((arm) => arm.runs.length > 1) ? [[], ...means(arms, columns)] : []),
  ]
}

function column(header: string, texts: readonly string[], alignment: Column['alignment'] = 'right'): Column {
  return { header, alignment, cells: texts.map((text) => span(text)) }
}

function runColumn(runs: readonly EvaluatedRun[], header: string): Column {
  return column(
    header,
    runs.map(({ run }) => run.folder),
    'left',
  )
}

/** The name of a metric without "test", because the split is a choice here. */
function headerOf(metric: Metric): string {
  return meaningOf(metric).label.replace('test ', '')
}

function figures(runs: readonly EvaluatedRun[], columns: number): readonly Line[] {
  const of = (header: string, text: (run: EvaluatedRun) => string) => column(header, runs.map(text))
  return blockTable(
    [runColumn(runs, 'run')],
    [
      of('epoch', ({ epoch }) => String(epoch)),
      of('images', ({ evaluation: { images, split } }) => `${images} ${split}`),
      of('noise', ({ evaluation }) => String(evaluation.noise)),
      ...modelMetrics.map((metric) =>
        of(headerOf(metric), ({ evaluation }) =>
          formatMetric(metric, metricOfModel(evaluation, metric), evaluation.spectrum.singularValues.length),
        ),
      ),
    ],
    columns,
  )
}

const mostRanks = 16

/** Returns one row per run, one column per rank. */
function spectra(runs: readonly EvaluatedRun[], columns: number): readonly Line[] {
  const shares = runs.map(({ evaluation }) => evaluation.spectrum.singularShares)
  const longest = Math.max(...shares.map(({ length }) => length))
  const ranks = Array.from({ length: Math.min(longest, mostRanks) }, (_, rank) =>
    column(
      '',
      shares.map((each) => (each[rank] === undefined ? '' : share(each[rank]))),
    ),
  )
  const more = shares.map(({ length }) => (length > mostRanks ? `… ${length - mostRanks} more` : ''))
  const [, ...lines] = blockTable([runColumn(runs, '')], [...ranks, column('', more)], columns)
  return lines
}

/** Returns a row per arm: the means over its completed runs or, if there are none, over all of its runs. */
function means(arms: readonly MeasuredArm[], columns: number): readonly Line[] {
  const counted = arms.map(({ runs }) => {
    const complete = runs.filter(({ run }) => run.status === 'completed')
    return complete.length > 0 ? complete : runs
  })
  const counts = arms.map(({ runs }, arm) => {
    const { length } = counted[arm]!
    return length === runs.length ? String(length) : `${length} of ${runs.length}`
  })
  const summaries = modelMetrics.map((metric) => counted.map((runs) => summaryOf(runs, metric)))
  const table = blockTable(
    [
      column(
        unbroken('mean of the arm'),
        arms.map(({ label }) => label),
        'left',
      ),
      column('n', counts),
    ],
    modelMetrics.map((metric, index) => {
      const results = summaries[index]!.map((summary) => ({ summary }))
      const format = { ...metricColumn(metric, results) }
      return column(format.header.replace('test ', ''), meanCells(format, results, true))
    }),
    columns,
  )
  return [...table, [], ...noteLines(sampleNotes(summaries.flat(), true), columns)]
}

function summaryOf(runs: readonly EvaluatedRun[], metric: Metric): Summary {
  return summarise(runs.map(({ evaluation }) => metricOfModel(evaluation, metric)!))
}
