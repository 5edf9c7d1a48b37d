import type { Comparison } from '../comparison/compare.js'
import type { Chart } from './chart.js'
import { effectiveRankChart, type Legend, lossChart } from './epochs.js'
import { finalValuesChart } from './final-values.js'
import { evolutionChart, spectrumChart } from './spectrum.js'

/** More arms than this no picture can tell apart; the tables have them all. */
export const mostDrawn = 12

/** The pictures of a comparison, from what the runs' CSV files hold. */
export function comparisonCharts(comparison: Comparison, legend: Legend): readonly Chart[] {
  const arms = comparison.arms.slice(0, mostDrawn)
  return [
    finalValuesChart({ ...comparison, arms }),
    lossChart(arms, legend),
    spectrumChart(arms),
    evolutionChart(arms),
    effectiveRankChart(arms, legend),
  ]
}
