import type { Arm, Comparison } from '../comparison/compare.js'
import { escapeLine } from '../text/format.js'
import { truncateDistinct } from '../text/table.js'
import type { Chart } from './chart.js'
import { effectiveRankChart, lossChart } from './epochs.js'
import { finalValuesChart } from './final-values.js'
import { evolutionChart, spectrumChart } from './spectrum.js'

/** More arms than this no picture can tell apart; the tables have them all. */
export const mostDrawn = 12

// Beside a panel and above one.
const labelCharacters = 36

/** The arms as pictures name them: Vega, too, takes no separators of lines in a name. */
export function drawnArms({ arms }: Comparison): readonly Arm[] {
  const drawn = arms.slice(0, mostDrawn)
  const labels = truncateDistinct(
    drawn.map(({ label }) => escapeLine(label)),
    labelCharacters,
  )
  return drawn.map((arm, index) => ({ ...arm, label: labels[index]! }))
}

/** The names of a comparison's pictures, before there is one. */
export const comparisonPictures = ['final', 'loss', 'spectrum', 'evolution', 'effective-rank'] as const

/** The pictures of a comparison, from what the runs' CSV files hold. */
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
  return charts.map((chart) => ({ ...chart, title: `${chart.title}${leftOut(comparison)}` }))
}

/** A picture stands alone: it says what it does not show. */
function leftOut({ arms }: Comparison): string {
  return arms.length > mostDrawn ? `, the first ${mostDrawn} of ${arms.length} arms` : ''
}

/** The same for a page that has one legend for all. */
export function withoutLegends(charts: readonly Chart[], comparison: Comparison): readonly Chart[] {
  const arms = drawnArms(comparison)
  const replaced = [lossChart(arms, 'elsewhere'), effectiveRankChart(arms, 'elsewhere')]
  return charts.map((chart) => {
    const same = replaced.find(({ name }) => name === chart.name)
    return same === undefined ? chart : { ...same, title: chart.title }
  })
}
