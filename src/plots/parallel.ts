/** The picture of a search in parallel coordinates. */
import type { Comparison } from '../comparison/comparison.js'
import { type Metric, meaningOf } from '../runs/metrics.js'
import { armField, type Chart, haloed, rowMargin, type Spec } from './chart.js'
import { withoutOutliers } from './domains.js'
import { farAway, metric, mostAxes, rank, type Trial, trialsOf } from './search.js'
import { type Axis, positionOn, roundValues, type Settings } from './settings.js'

/** One vertical axis of the parallel coordinates: ends and texts, from 0 at the bottom to 1 at the top. */
interface Vertical {
  readonly title: string
  readonly ticks: readonly { readonly at: number; readonly text: string }[]
  readonly positionOf: (trial: Trial) => number | null
}

const size = { width: 620, height: 280 } as const

/** Draws every trial as a line through its settings and its results; null if there is no search. */
export function parallelChart(comparison: Comparison, settings: Settings): Chart | null {
  const axes = settings.search.slice(0, mostAxes)
  const trials = trialsOf(comparison, settings)
  if (axes.length === 0 || trials.length < 2) return null
  const verticals = [...axes.map(settingVertical), ...resultVerticals(trials)]
  // The best are drawn last, over the others.
  const lines = [...trials].reverse().flatMap((trial, place) =>
    verticals.flatMap(({ positionOf }, across) => {
      const position = positionOf(trial)
      const { arm } = trial.member
      const row = { kind: 'line', [armField]: arm.label, across, value: trial.value, line: place }
      return position === null ? [] : [{ ...row, position, best: trial.best }]
    }),
  )
  return {
    name: 'parallel',
    title: 'Settings and results of the trials',
    caption: `Every line is a trial, from its settings to its results; it passes by settings that the trial does not have. The stronger a line, the lower its ${meaningOf(metric).title}; the thick one is the best. Trials far beyond the others are at the end of an axis.`,
    panels: { count: 1, ...size, columns: 1, margin: rowMargin },
    spec: {
      data: {
        values: [
          ...lines,
          ...verticals.flatMap(({ title, ticks }, across) => [
            { kind: 'axis', across, title },
            ...ticks.map(({ at, text }) => ({ kind: 'tick', across, position: at, text })),
          ]),
        ],
      },
      layer: parallelLayers(verticals.length, trials),
    },
  }
}

function settingVertical(axis: Axis): Vertical {
  const scale = axis.isNumeric ? numberScale(axis) : wordScale(axis.values.map(String))
  return {
    title: axis.name,
    ticks: scale.ticks,
    positionOf: ({ member }) => {
      const value = member.values.get(axis.path)
      return value === undefined ? null : scale.of(value)
    },
  }
}

interface Scale {
  readonly of: (value: number | string) => number
  readonly ticks: Vertical['ticks']
}

function wordScale(words: readonly string[]): Scale {
  const of = (value: number | string) => (words.indexOf(String(value)) + 0.5) / words.length
  return { of, ticks: words.map((text) => ({ at: of(text), text })) }
}

function numberScale(axis: Axis): Scale {
  const numbers = axis.values as readonly number[]
  const place = (value: number) => (axis.log ? Math.log(positionOn(axis, value)) : value)
  const [low, high] = [place(numbers[0]!), place(numbers.at(-1)!)]
  const of = (value: number | string) => (place(Number(value)) - low) / (high - low)
  const shown = numbers.length <= 6 ? numbers : roundValues(numbers[0]!, numbers.at(-1)!, axis.log)
  return { of, ticks: shown.map((value) => ({ at: of(value), text: plain(value) })) }
}

function plain(value: number): string {
  return String(Number(value.toPrecision(3)))
}

/** Returns the axes of the results, with the better end at the top. */
function resultVerticals(trials: readonly Trial[]): readonly Vertical[] {
  const vertical = (name: Metric, measure: (trial: Trial) => number | null): readonly Vertical[] => {
    const values = trials.flatMap((trial) => measure(trial) ?? [])
    if (new Set(values).size < 2) return []
    const [low, high] = withoutOutliers(values, farAway)
    const upwards = (value: number) => Math.min(1, Math.max(0, (value - low) / (high - low)))
    const of = meaningOf(name).better === 'lower' ? (value: number) => 1 - upwards(value) : upwards
    const ticks = roundValues(low, high, false).map((value) => ({ at: of(value), text: plain(value) }))
    const positionOf = (trial: Trial) => {
      const value = measure(trial)
      return value === null ? null : of(value)
    }
    return [{ title: meaningOf(name).label, ticks, positionOf }]
  }
  return [...vertical(rank, (trial) => trial.rank), ...vertical(metric, (trial) => trial.value)]
}

// The arms' second colour, which has enough contrast on light and on dark pages.
const bestColor = '#d55e00'

function parallelLayers(verticals: number, trials: readonly Trial[]): readonly Spec[] {
  const x = {
    field: 'across',
    type: 'quantitative',
    scale: { domain: [0, verticals - 1], nice: false, zero: false },
    axis: null,
  }
  const y = { field: 'position', type: 'quantitative', scale: { domain: [0, 1], nice: false }, axis: null }
  // The worst trials would leave the good ones a single colour.
  const values = trials.map(({ value }) => value)
  const color = {
    field: 'value',
    type: 'quantitative',
    scale: {
      range: 'emphasis',
      reverse: true,
      domain: [values[0], values[Math.floor(0.75 * (values.length - 1))]],
      clamp: true,
    },
    legend: null,
  }
  const layer = (kind: string, mark: Spec, encoding: Spec, more = '') => ({
    transform: [{ filter: `datum.kind === '${kind}'${more}` }],
    mark,
    encoding: { x, ...encoding },
  })
  const line = {
    y,
    color,
    detail: { field: 'line' },
    tooltip: [
      { field: armField, title: 'arm' },
      { field: 'value', title: meaningOf(metric).title, format: '.5f' },
    ],
  }
  return [
    layer('line', { type: 'line', strokeWidth: 1, opacity: 0.75 }, line, ' && !datum.best'),
    layer(
      'line',
      { type: 'line', strokeWidth: 3.5, color: bestColor },
      { ...line, color: undefined },
      ' && datum.best',
    ),
    layer('axis', { type: 'rule', strokeWidth: 1 }, { y: { value: 0 }, y2: { value: 'height' } }),
    layer(
      'axis',
      { type: 'text', baseline: 'bottom', fontSize: 12 },
      { y: { value: -10 }, text: { field: 'title' } },
    ),
    ...haloed(
      layer(
        'tick',
        { type: 'text', align: 'left', baseline: 'middle', dx: 5, fontSize: 10 },
        { y, text: { field: 'text' } },
      ),
    ),
  ]
}
