/** The pictures of a search: the metric against each setting, and all settings of a trial at once. */
import type { Comparison } from '../comparison/comparison.js'
import { type Metric, meaningOf } from '../runs/metrics.js'
import { truncateDistinct } from '../text/shorten.js'
import {
  armField,
  armText,
  bestColor,
  type Chart,
  domainAround,
  farAway,
  haloed,
  layerOf,
  numbers,
  panelTitle,
  rowMargin,
  type Spec,
  withoutOutliers,
} from './chart.js'
import { errorMetric, rankMetric, resultsByArm } from './final-values.js'
import { textWidth } from './font.js'
import {
  type ArmWithSettings,
  encodingOf,
  positionOn,
  roundValues,
  type SettingAxis,
  type Settings,
} from './settings.js'

interface TrialResult {
  readonly member: ArmWithSettings
  readonly value: number
  readonly rank: number | null
  readonly best: boolean
}

// More lines are a solid block; the best ones are kept.
const mostTrials = 400
const mostAxes = 9

// More values have round numbers as ticks.
const mostTicks = 6

const panelWidth = 210

/** Returns the trials with the metric, the best first. */
function trialsOf({ arms, results }: Comparison, { members }: Settings): readonly TrialResult[] {
  const [values, ranks] = [resultsByArm(results, errorMetric(arms)), resultsByArm(results, rankMetric(arms))]
  return members
    .flatMap((member) => {
      const value = values.get(member.arm.name)?.summary.mean
      if (value === undefined) return []
      return [{ member, value, rank: ranks.get(member.arm.name)?.summary.mean ?? null }]
    })
    .sort((a, b) => a.value - b.value)
    .slice(0, mostTrials)
    .map((trial, place) => ({ ...trial, best: place === 0 }))
}

/** Draws the error of every trial against each searched setting; null if there is no search. */
export function searchChart(comparison: Comparison, settings: Settings): Chart | null {
  const axes = settings.search.slice(0, mostAxes)
  const trials = trialsOf(comparison, settings)
  const { title } = meaningOf(errorMetric(comparison.arms))
  if (axes.length === 0 || trials.length === 0) return null
  const variants = [...new Set(settings.members.map(({ variant }) => variant))]
  const several = variants.length > 1 && variants.length < settings.members.length
  const near = withoutOutliers(
    trials.map(({ value }) => value),
    farAway,
  )
  const domain = domainAround(near)
  const isBeyond = ({ value }: TrialResult) => value > near[1]
  const dots = axes.flatMap((axis, panel) =>
    trials.flatMap((trial) => {
      const { member, value, best } = trial
      const at = member.values.get(axis.path)
      if (at === undefined) return []
      const x = axis.isNumeric ? positionOn(axis, Number(at)) : String(at)
      const height = isBeyond(trial) ? domain[1] : value
      const row = { [armField]: member.arm.label, variant: member.variant, panel, at: String(at), x }
      return [{ ...row, value, best, height, beyond: isBeyond(trial) }]
    }),
  )
  const y = numbers('height', { axis: { title }, scale: { domain, nice: false, zero: false } })
  const legend = { orient: 'bottom', title: null }
  const color = several
    ? { field: 'variant', type: 'nominal', scale: { domain: variants }, legend }
    : undefined
  const shape = { condition: { test: 'datum.beyond', value: 'triangle-up' }, value: 'circle' }
  const dot = { type: 'point', filled: true, size: 30, opacity: 0.75 }
  const ring = { type: 'point', filled: false, size: 170, strokeWidth: 2 }
  const views = axes.map((axis, panel) => {
    const tooltip = [armText, { field: 'at', title: axis.path }, valueText(title)]
    const encoding = { x: xOf(axis), y, color }
    return {
      title: panelTitle(axis.path),
      transform: [{ filter: `datum.panel === ${panel}` }],
      layer: [
        { mark: dot, encoding: { ...encoding, shape, tooltip } },
        { transform: [{ filter: 'datum.best' }], mark: ring, encoding },
      ],
    }
  })
  return {
    name: 'search',
    title: `${title}, by each searched setting`,
    caption: `Every dot is a trial after its last epoch${several ? ', coloured by its config' : ''}. A ring marks the best one.${trials.some(isBeyond) ? ' Triangles at the upper edge are trials far beyond it.' : ''}`,
    panels: {
      count: axes.length,
      width: panelWidth,
      height: 170,
      columns: Math.min(3, axes.length),
      margin: 76,
    },
    spec: { data: { values: dots }, concat: views },
  }
}

function xOf(axis: SettingAxis): Spec {
  if (!axis.isNumeric)
    return { field: 'x', type: 'nominal', sort: axis.values, axis: { title: null, ...wordLabels(axis) } }
  const { axis: ticks, log } = encodingOf(axis, mostTicks)
  return numbers('x', {
    axis: { ...ticks, title: null },
    scale: { nice: false, padding: 8, ...(log ? { type: 'log' } : { zero: false }) },
  })
}

// As many as fit between two rows of panels.
const mostLines = 4

/** Returns the labels of words below an axis: neighbours are on as many lines as keep them apart, and long ones are cut. */
function wordLabels({ values }: SettingAxis): Spec {
  const words = values.map(String)
  const step = panelWidth / words.length
  const widest = Math.max(...words.map((word) => textWidth(word, 11))) + 6
  const lines = Math.min(mostLines, words.length, Math.ceil(widest / step))
  const texts = truncateDistinct(words, Math.max(3, Math.floor((lines * step) / 6)))
  const labels = texts.map((text, index) => [...Array<string>(index % lines).fill(''), text])
  return {
    labelAngle: 0,
    labelOverlap: false,
    labelExpr: `${JSON.stringify(labels)}[indexof(${JSON.stringify(words)}, datum.value)]`,
  }
}

/** One vertical axis of the parallel coordinates: ends and texts, from 0 at the bottom to 1 at the top. */
interface Vertical {
  readonly title: string
  readonly ticks: readonly { readonly at: number; readonly text: string }[]
  readonly positionOf: (trial: TrialResult) => number | null
}

/** Draws every trial as a line through its settings and its results; null if there is no search. */
export function parallelChart(comparison: Comparison, settings: Settings): Chart | null {
  const axes = settings.search.slice(0, mostAxes)
  const trials = trialsOf(comparison, settings)
  const { title } = meaningOf(errorMetric(comparison.arms))
  if (axes.length === 0 || trials.length < 2) return null
  const lacking = ({ path }: SettingAxis) => trials.filter(({ member }) => !member.values.has(path)).length
  const verticals = [
    // A trial's line begins after the axes that it lacks.
    ...axes.toSorted((a, b) => lacking(b) - lacking(a)).map(settingVertical),
    ...resultVertical(rankMetric(comparison.arms), trials, (trial) => trial.rank),
    ...resultVertical(errorMetric(comparison.arms), trials, (trial) => trial.value),
  ].map((vertical) => ({ ...vertical, ticks: spacedTicks(vertical.ticks) }))
  // The best are drawn last, over the others.
  const lines = [...trials].reverse().flatMap((trial, place) => {
    const positions = verticals.map(({ positionOf }) => positionOf(trial))
    return positions.flatMap((position, across) => {
      const { member, value, best } = trial
      if (position === null) return []
      // A line ends at an axis that the trial lacks, and another begins after it.
      const line = `${place} ${positions.slice(0, across).filter((each) => each === null).length}`
      return [{ kind: 'line', [armField]: member.arm.label, across, value, line, position, best }]
    })
  })
  const width = (verticals.length - 1) * distanceOf(verticals)
  const marks = verticals.flatMap(({ title, ticks }, across) => [
    { kind: 'axis', across, title },
    ...ticks.map(({ at, text }) => ({ kind: 'tick', across, position: at, text })),
  ])
  return {
    name: 'parallel',
    title: 'Settings and results of the trials',
    caption: `Every line is a trial, from its settings to its results; it leaves out settings that the trial does not have. The stronger a line, the lower its ${title}; the thick one is the best. Trials far beyond the others are at the end of an axis.`,
    panels: {
      ...{ count: 1, columns: 1, margin: rowMargin, height: parallelHeight },
      ...{ width: Math.max(620, width), narrowest: width },
    },
    spec: { data: { values: [...lines, ...marks] }, layer: parallelLayers(verticals.length, trials, title) },
  }
}

const parallelHeight = 280
const tickSize = 10

/** Returns the ticks without those whose texts would overlap the one below. */
function spacedTicks(ticks: Vertical['ticks']): Vertical['ticks'] {
  const least = (tickSize + 3) / parallelHeight
  const kept: Vertical['ticks'][number][] = []
  for (const tick of ticks.toSorted((a, b) => a.at - b.at))
    if (kept.length === 0 || tick.at - kept.at(-1)!.at >= least) kept.push(tick)
  return kept
}

/** Returns the least distance of two axes at which neither titles nor ticks overlap. */
function distanceOf(verticals: readonly Vertical[]): number {
  const widths = verticals.flatMap(({ title, ticks }) => [
    textWidth(title, 12) + 10,
    ...ticks.map(({ text }) => textWidth(text, tickSize) + 12),
  ])
  return Math.ceil(Math.max(...widths))
}

function settingVertical(axis: SettingAxis): Vertical {
  const { path, name, values, isNumeric, log } = axis
  const [first, last] = [Number(values[0]), Number(values.at(-1))]
  const distance = (value: number) => (log ? Math.log(positionOn(axis, value)) : value)
  const [low, high] = [distance(first), distance(last)]
  const at = isNumeric
    ? (value: number | string) => (distance(Number(value)) - low) / (high - low)
    : (value: number | string) => (values.indexOf(String(value)) + 0.5) / values.length
  const shown = isNumeric && values.length > mostTicks ? roundValues(first, last, log) : values
  return {
    title: name,
    ticks: shown.map((value) => ({ at: at(value), text: isNumeric ? plain(Number(value)) : String(value) })),
    positionOf: ({ member }) => {
      const value = member.values.get(path)
      return value === undefined ? null : at(value)
    },
  }
}

function plain(value: number): string {
  return String(Number(value.toPrecision(3)))
}

/** Returns the axis of a result, with the better end at the top; none if all trials have the same. */
function resultVertical(
  name: Metric,
  trials: readonly TrialResult[],
  measure: (trial: TrialResult) => number | null,
): readonly Vertical[] {
  const values = trials.flatMap((trial) => measure(trial) ?? [])
  if (new Set(values).size < 2) return []
  const { label, better } = meaningOf(name)
  const [low, high] = withoutOutliers(values, farAway)
  const at = (value: number) => {
    const share = Math.min(1, Math.max(0, (value - low) / (high - low)))
    return better === 'lower' ? 1 - share : share
  }
  const ticks = roundValues(low, high, false).map((value) => ({ at: at(value), text: plain(value) }))
  const positionOf = (trial: TrialResult) => {
    const value = measure(trial)
    return value === null ? null : at(value)
  }
  return [{ title: label, ticks, positionOf }]
}

function valueText(title: string): Spec {
  return { field: 'value', title, format: '.5f' }
}

function parallelLayers(verticals: number, trials: readonly TrialResult[], error: string): readonly Spec[] {
  const x = numbers('across', {
    scale: { domain: [0, verticals - 1], nice: false, zero: false },
    axis: null,
  })
  const y = numbers('position', { scale: { domain: [0, 1], nice: false }, axis: null })
  // The worst trials would leave the good ones a single colour.
  const ends = [trials[0]!.value, trials[Math.floor(0.75 * (trials.length - 1))]!.value]
  const color = numbers('value', {
    scale: { range: 'emphasis', reverse: true, domain: ends, clamp: true },
    legend: null,
  })
  const line = { x, y, detail: { field: 'line' }, tooltip: [armText, valueText(error)] }
  const rule = { x, y: { value: 0 }, y2: { value: 'height' } }
  const title = { x, y: { value: -10 }, text: { field: 'title' } }
  const tick = { type: 'text', align: 'left', baseline: 'middle', dx: 5, fontSize: tickSize }
  const best = { type: 'line', strokeWidth: 3.5, color: bestColor }
  return [
    layerOf('line', { type: 'line', strokeWidth: 1, opacity: 0.75 }, { ...line, color }, ' && !datum.best'),
    layerOf('line', best, line, ' && datum.best'),
    layerOf('axis', { type: 'rule', strokeWidth: 1 }, rule),
    layerOf('axis', { type: 'text', baseline: 'bottom', fontSize: 12 }, title),
    ...haloed(layerOf('tick', tick, { x, y, text: { field: 'text' } })),
  ]
}
