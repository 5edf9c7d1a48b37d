import type { Arm, Comparison } from '../comparison/compare.js'
import { escapeLine } from '../text/format.js'
import { truncateDistinct } from '../text/table.js'
import type { Chart } from './chart.js'
import { effectiveRankChart, lossChart } from './epochs.js'
import { finalValuesChart } from './final-values.js'
import { evolutionChart, spectrumChart } from './spectrum.js'

/** The pictures show this many arms, because more could not be distinguished. The tables list all of them. */
export const mostDrawn = 12

// Space beside and above a panel.
const labelCharacters = 36

/** Returns the arms of the pictures, with short labels on a single line: Vega cannot draw line separators. */
export function drawnArms({ arms }: Comparison): readonly Arm[] {
  const drawn = arms.slice(0, mostDrawn)
  const labels = truncateDistinct(
    drawn.map(({ label }) => escapeLine(label)),
    labelCharacters,
  )
  return drawn.map((arm, index) => ({ ...arm, label: labels[index]! }))
}

/** The names of the pictures. */
export const comparisonPictures = ['final', 'loss', 'spectrum', 'evolution', 'effective-rank'] as const

/** Returns the pictures of a comparison, which need only the runs' CSV files. */
export function comparisonCharts(comparison: Comparison): readonly Chart[] {
  const arms = drawnArms(comparison)
  const results = comparison.results.flatMap((result) => {
    const arm = arms[comparison.arms.indexOf(result.arm)]
    return arm === undefined ? [] : [{ ...result, arm }]
  })
  const charts = [
    finalValuesChart({ ...comparison, arms, results }),
    lossChart(arms, 'own'),
    spectrumChart(arms),
    evolutionChart(arms),
    effectiveRankChart(arms, 'own'),
  ]
  return charts.map((chart) => ({ ...chart, title: `${chart.title}${titleSuffix(comparison)}` }))
}

/** A picture can be used without the page, so its title says which arms it lacks. */
function titleSuffix({ arms }: Comparison): string {
  return arms.length > mostDrawn ? `, the first ${mostDrawn} of ${arms.length} arms` : ''
}

/** Removes the charts' own legends for a page that has one legend for all charts. */
export function withoutLegends(charts: readonly Chart[], comparison: Comparison): readonly Chart[] {
  const arms = drawnArms(comparison)
  const replaced = [lossChart(arms, 'elsewhere'), effectiveRankChart(arms, 'elsewhere')]
  return charts.map((chart) => {
    const same = replaced.find(({ name }) => name === chart.name)
    return same === undefined ? chart : { ...same, title: chart.title }
  })
}
