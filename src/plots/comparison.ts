import type { Arm, Comparison } from '../comparison/compare.js'
import { escapeLine } from '../text/format.js'
import { truncateDistinct } from '../text/table.js'
import type { Chart } from './chart.js'
import { deadUnitsChart } from './dead-units.js'
import { effectiveRankChart, lossChart } from './epochs.js'
import { evolutionChart } from './evolution.js'
import { finalValuesChart } from './final-values.js'
import { modelStills } from './model-pictures.js'
import { parallelChart } from './parallel.js'
import { paretoChart } from './pareto.js'
import { searchChart } from './search.js'
import { settingsOf } from './settings.js'
import { spectrumChart } from './spectrum.js'
import { heatMapChart, sweptChart } from './swept.js'
import { trainingChart } from './training.js'

/** The pictures show this many arms, because more could not be distinguished. The tables list all of them. */
export const mostDrawn = 12

// Space beside and above a panel.
const labelCharacters = 36

/** Returns the arms that have a colour, a line or a panel in the pictures, with their labels there. */
export function drawnArms(comparison: Comparison): readonly Arm[] {
  return withPictureLabels(comparison).arms.slice(0, mostDrawn)
}

/** Shortens the labels to a single line: Vega cannot draw line separators. */
function withPictureLabels(comparison: Comparison): Comparison {
  const labels = truncateDistinct(
    comparison.arms.map(({ label }) => escapeLine(label)),
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
  'dead-units',
  'pareto',
  'swept',
  'heat-map',
  'search',
  'parallel',
  ...modelStills,
] as const

/** Returns the pictures of a comparison, which need only the runs' CSV files. */
export function comparisonCharts(whole: Comparison): readonly Chart[] {
  const comparison = withPictureLabels(whole)
  const arms = comparison.arms.slice(0, mostDrawn)
  const settings = settingsOf(comparison.arms)
  const ofAll = [
    finalValuesChart(comparison, arms),
    sweptChart(comparison, settings),
    heatMapChart(comparison, settings),
    searchChart(comparison, settings),
    parallelChart(comparison, settings),
    paretoChart(comparison, arms),
  ]
  const ofDrawn = [
    lossChart(arms),
    trainingChart(arms),
    spectrumChart(arms),
    evolutionChart(arms),
    effectiveRankChart(arms),
    deadUnitsChart(arms),
  ]
  const charts = [
    ...ofAll.filter((chart) => chart !== null),
    ...ofDrawn
      .filter((chart) => chart !== null)
      .map((chart) => ({ ...chart, title: chart.title + missingText(arms.length, comparison) })),
  ]
  const [only, ...others] = arms
  return others.length === 0 ? charts.map((chart) => ({ ...chart, subject: only!.label })) : charts
}

/** A picture can be used without the page, so its title says which arms it lacks. */
function missingText(drawn: number, { arms }: Comparison): string {
  return drawn < arms.length ? `, the first ${drawn} of ${arms.length} arms` : ''
}
