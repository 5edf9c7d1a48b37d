/** Data series of the pictures, thinned to what a picture can show. */
import { groupBy } from '../group-by.js'
import type { MetricsRow } from '../runs/tables.js'
import type { ArmRuns } from './comparison.js'
import { type Summary, summarise } from './statistics.js'

export interface EpochValue {
  readonly epoch: number
  readonly value: number
}

interface EpochSummary {
  readonly epoch: number
  readonly summary: Summary
}

/** Returns a column of metrics.csv of some runs. */
export function columnOf(runs: ArmRuns['runs'], column: keyof MetricsRow): readonly EpochValue[] {
  return runs.flatMap(({ metrics }) => metrics.map((row) => ({ epoch: row.epoch, value: row[column] })))
}

/** Returns the values of runs summarised by epoch, ascending. */
export function byEpoch(values: readonly EpochValue[]): readonly EpochSummary[] {
  return [...groupBy(values, ({ epoch }) => epoch)]
    .sort(([a], [b]) => a - b)
    .map(([epoch, ofEpoch]) => ({ epoch, summary: summarise(ofEpoch.map(({ value }) => value)) }))
}

/** Does the same for a line: without means that are not finite, and thinned to `most` epochs that draw the same line. */
export function epochLine(values: readonly EpochValue[], most: number): readonly EpochSummary[] {
  const finite = byEpoch(values).filter(({ summary }) => Number.isFinite(summary.mean))
  const means = finite.map(({ summary }) => summary.mean)
  return lineIndexes(means, most).map((index) => finite[index]!)
}

export interface RankSummary {
  readonly ranks: NumberRange
  /** The shares σ/Σσ, averaged over the ranks. */
  readonly summary: Summary
}

/** Returns σ/Σσ by rank after the last epoch, summarised over the arm's runs, in at most `most` ranges of ranks. */
export function finalSpectrum({ runs }: ArmRuns, most = Number.POSITIVE_INFINITY): readonly RankSummary[] {
  const last = runs.reduce((latest, { spectrum }) => Math.max(latest, spectrum.at(-1)?.epoch ?? 0), 0)
  const rows = runs.map(({ spectrum }) => spectrum.filter(({ epoch }) => epoch === last))
  const { ranges, indexOf } = rangesOf(
    rows.flat().map(({ rank }) => rank),
    most,
  )
  // A run's shares by range: those of a run without ranks in a range do not count.
  const shares = rows.map((each) => {
    const byRange = ranges.map((): number[] => [])
    for (const { rank, singular_share } of each) byRange[indexOf.get(rank)!]!.push(singular_share)
    return byRange
  })
  return ranges.map((ranks, range) => {
    const ofRuns = shares.map((byRange) => byRange[range]!).filter(({ length }) => length > 0)
    const means = ofRuns.map((own) => own.reduce((sum, share) => sum + share, 0) / own.length)
    return { ranks, summary: summarise(means.filter((mean) => !Number.isNaN(mean))) }
  })
}

/** A cell of the picture of rank by epoch. */
export interface SpectrumCell {
  readonly epochs: NumberRange
  readonly ranks: NumberRange
  /** σ/Σσ, averaged over the runs, the epochs and the ranks. */
  readonly share: number
}

/** Returns the spectrum by epoch (0 is before training) in at most `columns` × `rows` cells. */
export function spectrumCells({ runs }: ArmRuns, columns: number, rows: number): readonly SpectrumCell[] {
  const all = runs.flatMap(({ spectrum }) => spectrum)
  const epochs = rangesOf(
    all.map(({ epoch }) => epoch),
    columns,
  )
  const ranks = rangesOf(
    all.map(({ rank }) => rank),
    rows,
  )
  const sums = new Float64Array(epochs.ranges.length * ranks.ranges.length)
  const counts = new Uint32Array(sums.length)
  for (const { epoch, rank, singular_share } of all) {
    const cell = epochs.indexOf.get(epoch)! * ranks.ranges.length + ranks.indexOf.get(rank)!
    sums[cell]! += singular_share
    counts[cell]!++
  }
  return epochs.ranges.flatMap((range, column) => {
    // Only some epochs of a long run are read, so each column reaches up to the next one.
    const next = epochs.ranges[column + 1]
    const covered = { first: range.first, last: next === undefined ? range.last : next.first - 1 }
    return ranks.ranges.flatMap((rankRange, row) => {
      const cell = column * ranks.ranges.length + row
      if (counts[cell] === 0) return []
      return [{ epochs: covered, ranks: rankRange, share: sums[cell]! / counts[cell]! }]
    })
  })
}

/** Consecutive numbers that are drawn as one. */
export interface NumberRange {
  readonly first: number
  readonly last: number
}

export function rangeText({ first, last }: NumberRange): string {
  return first === last ? String(first) : `${first} to ${last}`
}

/**
 * Cuts numbers, whose order does not matter, into at most `most` ranges with the same count of distinct numbers; the last
 * range may have fewer. Returns the ranges and the index of each number's range.
 */
export function rangesOf(numbers: readonly number[], most: number) {
  const ascending = [...new Set(numbers)].sort((a, b) => a - b)
  const size = Math.max(1, Math.ceil(ascending.length / most))
  const ranges = Array.from({ length: Math.ceil(ascending.length / size) }, (_, range): NumberRange => {
    const last = Math.min((range + 1) * size, ascending.length) - 1
    return { first: ascending[range * size]!, last: ascending[last]! }
  })
  return { ranges, indexOf: new Map(ascending.map((number, place) => [number, Math.floor(place / size)])) }
}

/**
 * Returns the indexes of the values that draw the same line as all values: the first, the last, and the lowest and the
 * highest of each of several equal parts. Ascending; every index if there are at most `most`.
 */
export function lineIndexes(values: readonly number[], most: number): readonly number[] {
  const last = values.length - 1
  if (last < most) return [...values.keys()]
  const parts = Math.max(1, Math.floor((most - 2) / 2))
  const partStart = (part: number) => Math.floor((part * values.length) / parts)
  const indexes = new Set([0])
  for (let part = 0; part < parts; part++) {
    const [start, end] = [partStart(part), partStart(part + 1)]
    let [lowest, highest] = [start, start]
    for (let index = start + 1; index < end; index++) {
      if (values[index]! < values[lowest]!) lowest = index
      if (values[index]! > values[highest]!) highest = index
    }
    indexes.add(Math.min(lowest, highest)).add(Math.max(lowest, highest))
  }
  return [...indexes.add(last)]
}

/** Returns at most `most` evenly spaced values, the first and the last among them. */
export function sampleEvenly<T>(values: readonly T[], most: number): readonly T[] {
  if (values.length <= most) return values
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))]!)
}
