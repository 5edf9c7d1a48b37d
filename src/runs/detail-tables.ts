/** The tables that only newer runs have: the terms of the loss and the hidden layers, epoch by epoch. */
import { join } from 'node:path'
import { readTextIfPresent, sizeLimits } from '../files/read.js'

/** A row of losses.csv; means over the epoch. */
export interface TermRow {
  readonly epoch: number
  /** The position of the eigen loss in the config's list, from 1. */
  readonly term: number
  readonly kind: string
  readonly weight: number
  readonly value: number
  readonly weighted: number
}

/** A row of layers.csv. */
export interface LayerRow {
  readonly epoch: number
  readonly layer: string
  readonly width: number
  readonly dead_units: number
}

export interface DetailTables {
  /** Empty if the run lacks losses.csv. */
  readonly terms: readonly TermRow[]
  /** Empty if the run lacks layers.csv. */
  readonly layers: readonly LayerRow[]
}

export function readDetailTables(folder: string): DetailTables {
  return {
    terms: rowsOf(join(folder, 'losses.csv'), ['kind'], ['epoch', 'term', 'weight', 'value', 'weighted']),
    layers: rowsOf(join(folder, 'layers.csv'), ['layer'], ['epoch', 'width', 'dead_units']),
  } as unknown as DetailTables
}

type Fields = Readonly<Record<string, string | number>>

/** Returns the rows of a table by the names of its columns, empty if it is missing or lacks one of them. */
function rowsOf(file: string, words: readonly string[], numbers: readonly string[]): readonly Fields[] {
  // The last line is skipped if it lacks its newline, because it is still being written.
  const [header, ...lines] = (readTextIfPresent(file, sizeLimits.table) ?? '').split(/\r?\n/).slice(0, -1)
  const written = header?.split(',') ?? []
  if ([...words, ...numbers].some((column) => !written.includes(column))) return []
  return lines.map((line) => {
    const fields = line.split(',')
    const at = (column: string) => fields[written.indexOf(column)] ?? ''
    return Object.fromEntries([
      ...words.map((column) => [column, at(column)] as const),
      ...numbers.map((column) => [column, at(column) === '' ? Number.NaN : Number(at(column))] as const),
    ])
  })
}
