import type { MetricsRow, SpectrumRow } from '../runs/tables.js'
import type { Arm } from './compare.js'
import { meanOf, type Summary, summarise } from './statistics.js'
import { linePlaces, type Span, spansOf } from './thinning.js'

export interface EpochSummary {
  readonly epoch: number
  readonly summary: Summary
}

/** Returns a column of metrics.csv over the epochs, summarised over the arm's runs: at most `most` epochs. */
export function epochSeries(arm: Arm, column: keyof MetricsRow, most: number): readonly EpochSummary[] {
  const epochs = valuesByEpoch(arm, column)
  const places = linePlaces(
    epochs.map(([, values]) => meanOf(values)),
    most,
  )
  return places.map((place) => ({ epoch: epochs[place]![0], summary: summarise(epochs[place]![1]) }))
}

/** Returns the mean of a column over the arm's runs, epoch by epoch. */
export function epochMeans(arm: Arm, column: keyof MetricsRow): readonly number[] {
  return valuesByEpoch(arm, column).map(([, values]) => meanOf(values))
}

function valuesByEpoch({ runs }: Arm, column: keyof MetricsRow) {
  const byEpoch = new Map<number, number[]>()
  for (const { metrics } of runs) {
    for (const row of metrics) push(byEpoch, row.epoch, row[column])
  }
  return inOrder(byEpoch)
}

export interface RankSummary {
  readonly ranks: Span
  /** Of σ/Σσ, the mean over the ranks. */
  readonly summary: Summary
}

/** Returns σ/Σσ by rank after the last epoch, summarised over the arm's runs: at most `most` spans of ranks. */
export function finalSpectrum({ runs }: Arm, most = Number.POSITIVE_INFINITY): readonly RankSummary[] {
  const last = runs.reduce((latest, { spectrum }) => Math.max(latest, spectrum.at(-1)?.epoch ?? 0), 0)
  const rows = runs.map(({ spectrum }) => spectrum.filter(({ epoch }) => epoch === last))
  const ranks = new SpanIndex(ranksOf(rows.flat()), most)
  const shares = rows.map((each) => meanShares(each, ranks))
  return ranks.spans.map((span, place) => {
    const values = shares.map((each) => each[place]!).filter((share) => !Number.isNaN(share))
    return { ranks: span, summary: summarise(values) }
  })
}

/** The mean share of a run's ranks by span; NaN if it has none of them. */
function meanShares(rows: readonly SpectrumRow[], { spans, of }: SpanIndex): readonly number[] {
  const sums = spans.map(() => ({ sum: 0, count: 0 }))
  for (const { rank, singular_share } of rows) {
    const span = sums[of(rank)]!
    span.sum += singular_share
    span.count++
  }
  return sums.map(({ sum, count }) => sum / count)
}

/** A part of the picture of rank by epoch. */
export interface SpectrumCell {
  readonly epochs: Span
  readonly ranks: Span
  /** σ/Σσ, the mean over the runs, the epochs and the ranks. */
  readonly share: number
}

/** Returns the spectrum after each epoch, 0 being before training, in at most `columns` × `rows` cells. */
export function spectrumCells({ runs }: Arm, columns: number, rows: number): readonly SpectrumCell[] {
  const all = runs.flatMap(({ spectrum }) => spectrum)
  const epochs = new SpanIndex([...new Set(all.map(({ epoch }) => epoch))].sort(ascending), columns)
  const ranks = new SpanIndex(ranksOf(all), rows)
  const sums = new Float64Array(epochs.spans.length * ranks.spans.length)
  const counts = new Uint32Array(sums.length)
  for (const { epoch, rank, singular_share } of all) {
    const cell = epochs.of(epoch) * ranks.spans.length + ranks.of(rank)
    sums[cell]! += singular_share
    counts[cell]!++
  }
  return epochs.spans.flatMap((span, column) => {
    // Long runs are read without all of their epochs: a column reaches up to the next.
    const next = epochs.spans[column + 1]
    const reached = { first: span.first, last: next === undefined ? span.last : next.first - 1 }
    return ranks.spans.flatMap((rankSpan, row) => {
      const cell = column * ranks.spans.length + row
      if (counts[cell] === 0) return []
      return [{ epochs: reached, ranks: rankSpan, share: sums[cell]! / counts[cell]! }]
    })
  })
}

/** Finds the span of a number. */
class SpanIndex {
  readonly spans: readonly Span[]
  readonly of: (number: number) => number

  constructor(ascending: readonly number[], most: number) {
    this.spans = spansOf(ascending, most)
    const places = new Map<number, number>()
    let span = 0
    for (const number of ascending) {
      if (number > this.spans[span]!.last) span++
      places.set(number, span)
    }
    this.of = (number) => places.get(number)!
  }
}

function ranksOf(rows: readonly SpectrumRow[]): readonly number[] {
  return [...new Set(rows.map(({ rank }) => rank))].sort(ascending)
}

function ascending(a: number, b: number): number {
  return a - b
}

function push<T>(lists: Map<number, T[]>, key: number, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

function inOrder<T>(map: ReadonlyMap<number, T>): readonly (readonly [number, T])[] {
  return [...map].sort(([a], [b]) => a - b)
}
