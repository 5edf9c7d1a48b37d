import type { Arm, Comparison } from '../comparison/comparison.js'
import { sharedText } from '../comparison/comparison-tables.js'
import { escapeLine } from '../text/format.js'
import { truncate, truncateDistinct } from '../text/shorten.js'
import { wrap } from '../text/table.js'
import { type Chart, labelCharacters } from './chart.js'
import { drawnOf, drawnText } from './drawn.js'
import { effectsChart } from './effects.js'
import { effectiveRankChart, lossChart, trainingChart } from './epochs.js'
import { deadUnitsChart, evolutionChart } from './evolution.js'
import { spectrumChart } from './final-spectrum.js'
import { differencesChart, finalValuesChart } from './final-values.js'
import { ladderChart } from './ladder.js'
import { modelStills } from './model-pictures.js'
import { paretoChart } from './pareto.js'
import { parallelChart, searchChart } from './search.js'
import { settingsOfArms } from './settings.js'
import { heatMapChart, sweptChart } from './swept.js'

/** Returns the drawn arms with their labels in the pictures. */
export function drawnArms(comparison: Comparison): readonly Arm[] {
  return drawnOf(withPictureLabels(comparison))
}

/** Shortens the labels to a single line: Vega cannot draw line separators. */
function withPictureLabels(comparison: Comparison): Comparison {
  const labels = truncateDistinct(
    comparison.arms.map(({ shown }) => escapeLine(shown)),
    labelCharacters,
  )
  const arms = new Map(comparison.arms.map((arm, index) => [arm, { ...arm, label: labels[index]! }]))
  return {
    ...comparison,
    arms: [...arms.values()],
    results: comparison.results.map((result) => ({ ...result, arm: arms.get(result.arm)! })),
  }
}

/** The names of the pictures. */
export const comparisonPictures = [
  'final',
  'loss',
  'training',
  'spectrum',
  'evolution',
  'effective-rank',
] as const

/** The names of pictures that only some comparisons have. */
export const occasionalPictures = [
  'differences',
  'dead-units',
  'pareto',
  'swept',
  'heat-map',
  'ladder',
  'effects',
  'search',
  'parallel',
  ...modelStills,
] as const

/** Returns the pictures of a comparison, which need only the runs' CSV files. */
export function comparisonCharts(whole: Comparison): readonly Chart[] {
  const comparison = withPictureLabels(whole)
  const arms = drawnOf(comparison)
  const settings = settingsOfArms(comparison)
  // A picture can be used without the page, so its title says which arms it lacks.
  const shown = drawnText(comparison)
  const missing = shown === null ? '' : `, ${shown}`
  const charts = [
    ...present([
      finalValuesChart(comparison, arms),
      differencesChart(comparison, arms),
      // The trials that are left have too few values of a searched setting to show its effect.
      ...(comparison.stopped.length > 0
        ? []
        : [sweptChart(comparison, settings), heatMapChart(comparison, settings)]),
      ladderChart(comparison),
      effectsChart(comparison),
      searchChart(comparison, settings),
      parallelChart(comparison, settings),
      paretoChart(comparison, arms),
    ]),
    ...courseCharts(arms).map((chart) => ({ ...chart, title: chart.title + missing })),
  ]
  return charts.map((chart) => ({ ...chart, ...titlesOf(comparison) }))
}

/** Returns the pictures of the course of some arms. */
export function courseCharts(arms: readonly Arm[]): readonly Chart[] {
  return present([
    lossChart(arms),
    trainingChart(arms),
    spectrumChart(arms),
    evolutionChart(arms),
    effectiveRankChart(arms),
    deadUnitsChart(arms),
  ])
}

function present(charts: readonly (Chart | null)[]): readonly Chart[] {
  return charts.filter((chart) => chart !== null)
}

// Characters that a narrow picture has space for.
const subtitleWidth = 70

/** Returns what the titles of the pictures name: the only arm, or the sweep that made all arms and what these share. */
export function titlesOf(comparison: Comparison): Pick<Chart, 'subject' | 'subtitle'> {
  const { arms, sweep, shared } = comparison
  const name = arms.length === 1 ? arms[0]!.label : sweep?.name
  return {
    ...(name != null && { subject: truncate(escapeLine(name), labelCharacters, 0.5) }),
    ...(shared !== '' && { subtitle: wrap(escapeLine(sharedText(comparison)).split(' '), subtitleWidth) }),
  }
}
