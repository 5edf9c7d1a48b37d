import { createObjectCsvStringifier } from 'csv-writer'
import { withoutFormula } from './format.js'

/** Returns records as CSV with a header. A missing value is an empty cell, a list of words has spaces, an object is JSON. */
export function csvText(
  columns: readonly string[],
  records: readonly Readonly<Record<string, unknown>>[],
): string {
  const csv = createObjectCsvStringifier({ header: columns.map((id) => ({ id, title: id })) })
  const cells = records.map((record) => Object.fromEntries(columns.map((id) => [id, csvCell(record[id])])))
  return `${csv.getHeaderString()}${csv.stringifyRecords(cells)}`
}

function csvCell(value: unknown): string | number {
  if (typeof value === 'number') return value
  if (value === null || value === undefined) return ''
  if (Array.isArray(value) && value.every((each) => typeof each === 'string'))
    return withoutFormula(value.join(' '))
  return withoutFormula(typeof value === 'string' ? value : JSON.stringify(value))
}
