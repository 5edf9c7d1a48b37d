/** The picture of the settings that matter: parts of the variance of a grid, or rank correlations of a search. */
import type { Comparison } from '../comparison/comparison.js'
import { effectName, effectsOf } from '../comparison/effects.js'
import { meaningOf } from '../runs/metrics.js'
import { type Chart, grey, layerOf, numbers, rowMargin, type Spec } from './chart.js'

/** More rows would hide the small effects, which come last. */
const mostRows = 30

/** Draws the effect of each setting on the deciding error; null if it cannot be computed. */
export function effectsChart(comparison: Comparison): Chart | null {
  const found = effectsOf(comparison)
  if (typeof found === 'string') return null
  const { title } = meaningOf(found.metric)
  const isGrid = found.design === 'grid'
  const named = found.effects.map((effect) => ({ effect, name: effectName(effect, found) }))
  // The seeds and the rest come last.
  const shown = named.length <= mostRows ? named : [...named.slice(0, mostRows - 2), ...named.slice(-2)]
  const rows = shown.map(({ effect, name }) =>
    'kind' in effect
      ? { name, kind: effect.kind, value: effect.share, text: `${(100 * effect.share).toFixed(1)} %` }
      : { name, kind: effect.measure, value: effect.value, ...effect.interval },
  )
  const y = {
    field: 'name',
    type: 'nominal',
    sort: shown.map(({ name }) => name),
    axis: { title: null, grid: !isGrid },
  }
  const first = named.length > shown.length ? `, the largest of ${named.length} effects` : ''
  return {
    name: 'effects',
    title: `${isGrid ? `Shares of the variance of ${title}` : `Rank correlation of the settings with ${title}`}${first}`,
    caption: isGrid
      ? 'Analysis of variance over the arms and the seeds that all of them have. Pale bars are interactions of two settings; grey ones are the seeds, and the rest: chance and interactions of more settings.'
      : `Dots and bars: Spearman's correlation over the trials, with its 95 % interval; left of 0, larger values of the setting lower the ${title}. Squares: for words, the share ε² of the ranks' variance. Effects that rise and fall, and interactions, are not seen.`,
    panels: { count: 1, width: 420, height: Math.max(60, 26 * rows.length), columns: 1, margin: rowMargin },
    spec: { data: { values: rows }, layer: isGrid ? shareLayers(y) : correlationLayers(y) },
  }
}

function shareLayers(y: Spec): readonly Spec[] {
  const axis = { title: 'share of the variance', format: '.0%', tickCount: 5, grid: true }
  const x = numbers('value', { axis, scale: { zero: true, nice: true } })
  const tooltip = [
    { field: 'name', title: 'setting' },
    { field: 'text', title: 'share' },
  ]
  const encoding = { x, y, tooltip }
  const text = { type: 'text', align: 'left', baseline: 'middle', dx: 4, fontSize: 11 }
  return [
    layerOf('setting', { type: 'bar' }, encoding),
    layerOf('interaction', { type: 'bar', opacity: 0.5 }, encoding),
    ...['seeds', 'rest'].map((kind) => layerOf(kind, { type: 'bar', color: grey }, encoding)),
    { mark: text, encoding: { x, y, text: { field: 'text' } } },
  ]
}

function correlationLayers(y: Spec): readonly Spec[] {
  const axis = { title: 'rank correlation', tickCount: 5, grid: true }
  const scale = { axis, scale: { domain: [-1, 1], nice: false } }
  const x = numbers('value', scale)
  const tooltip = [
    { field: 'name', title: 'setting' },
    { field: 'value', format: '.2f' },
    { field: 'low', format: '.2f', title: '95 % from' },
    { field: 'high', format: '.2f', title: 'to' },
  ]
  const point = { type: 'point', filled: true, opacity: 1 }
  const interval = { x: numbers('low', scale), x2: { field: 'high' }, y }
  return [
    { mark: { type: 'rule', strokeDash: [4, 4], color: grey }, encoding: { x: { datum: 0, ...scale } } },
    layerOf('spearman', { type: 'rule', strokeWidth: 2 }, interval, ' && isValid(datum.low)'),
    layerOf('spearman', { ...point, size: 70 }, { x, y, tooltip }),
    layerOf('epsilon_squared', { ...point, shape: 'square', size: 80 }, { x, y, tooltip }),
  ]
}
