import type { Comparison } from '../comparison/compare.js'
import type { Chart } from './chart.js'
import { effectiveRankChart, lossChart } from './epochs.js'
import { finalValuesChart } from './final-values.js'
import { evolutionChart, spectrumChart } from './spectrum.js'

/** More arms than this no picture can tell apart; the tables have them all. */
export const mostDrawn = 12

/** The pictures of a comparison, from what the runs' CSV files hold. */
export function comparisonCharts(comparison: Comparison): readonly Chart[] {
  const arms = comparison.arms.slice(0, mostDrawn)
  return [
    finalValuesChart({ ...comparison, arms }),
    lossChart(arms, 'own'),
    spectrumChart(arms),
    evolutionChart(arms),
    effectiveRankChart(arms, 'own'),
  ]
}

/** The same for a page that has one legend for all. */
export function withoutLegends(charts: readonly Chart[], { arms }: Comparison): readonly Chart[] {
  const drawn = arms.slice(0, mostDrawn)
  const replaced = [lossChart(drawn, 'elsewhere'), effectiveRankChart(drawn, 'elsewhere')]
  return charts.map((chart) => replaced.find(({ name }) => name === chart.name) ?? chart)
}
