import type { MetricsRow, SpectrumRow } from '../runs/tables.js'
import type { Arm } from './compare.js'
import { type Summary, summarise } from './statistics.js'

export interface EpochSummary {
  readonly epoch: number
  readonly summary: Summary
}

/** A column of metrics.csv over the epochs, summarised over the arm's runs. */
export function epochSeries({ runs }: Arm, column: keyof MetricsRow): readonly EpochSummary[] {
  const byEpoch = new Map<number, number[]>()
  for (const { metrics } of runs) {
    for (const row of metrics) push(byEpoch, row.epoch, row[column])
  }
  return inOrder(byEpoch).map(([epoch, values]) => ({ epoch, summary: summarise(values) }))
}

export interface RankSummary {
  readonly rank: number
  /** Of σ/Σσ. */
  readonly summary: Summary
}

/** The spectrum after each epoch, 0 being before training: σ/Σσ by rank, summarised over the arm's runs. */
export function spectrumByEpoch({ runs }: Arm): ReadonlyMap<number, readonly RankSummary[]> {
  const epochs = new Map<number, SpectrumRow[]>()
  for (const { spectrum } of runs) {
    for (const row of spectrum) push(epochs, row.epoch, row)
  }
  return new Map(inOrder(epochs).map(([epoch, rows]) => [epoch, byRank(rows)]))
}

/** Of the last epoch. */
export function finalSpectrum({ runs }: Arm): readonly RankSummary[] {
  const last = runs.reduce((latest, { spectrum }) => Math.max(latest, spectrum.at(-1)?.epoch ?? 0), 0)
  return byRank(runs.flatMap(({ spectrum }) => spectrum.filter(({ epoch }) => epoch === last)))
}

function byRank(rows: readonly SpectrumRow[]): readonly RankSummary[] {
  const ranks = new Map<number, number[]>()
  for (const { rank, singular_share } of rows) push(ranks, rank, singular_share)
  return inOrder(ranks).map(([rank, values]) => ({ rank, summary: summarise(values) }))
}

function push<T>(lists: Map<number, T[]>, key: number, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

function inOrder<T>(map: ReadonlyMap<number, T>): readonly (readonly [number, T])[] {
  return [...map].sort(([a], [b]) => a - b)
}
