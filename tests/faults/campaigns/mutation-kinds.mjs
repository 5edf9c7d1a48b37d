import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'

/**
 * Kinds of changes to a file. Each applies the change and returns its description, null if it cannot be applied. `others`
 * are files of the same name, from another seed and from an earlier moment of the same run.
 */
const ofAll = {
  bit: (file, choice) => {
    const bytes = readFileSync(file)
    const at = choice.below(bytes.length)
    bytes[at] ^= 1 << choice.below(8)
    writeFileSync(file, bytes)
    return `bit of byte ${at} flipped`
  },
  cut: (file, choice) => {
    const bytes = readFileSync(file)
    const length = choice.below(bytes.length)
    writeFileSync(file, bytes.subarray(0, length))
    return `cut to ${length} of ${bytes.length} bytes`
  },
  empty: (file) => {
    writeFileSync(file, '')
    return 'empty'
  },
  longer: (file, choice) => {
    appendFileSync(file, choice.of(['\n', 'x', '4,0.1,0.1\n', '\0'.repeat(64)]))
    return 'with bytes added'
  },
  gone: (file) => {
    rmSync(file)
    return 'deleted'
  },
  seed: (file, _, others) => replaceBy(file, others.seed, "another seed's"),
  moment: (file, _, others) => replaceBy(file, others.moment, 'of another moment'),
  fifo: (file) => {
    rmSync(file)
    execFileSync('mkfifo', [file])
    return 'a FIFO'
  },
  folder: (file) => {
    rmSync(file)
    mkdirSync(file)
    return 'a folder'
  },
  zeros: (file) => {
    rmSync(file)
    symlinkSync('/dev/zero', file)
    return 'a link to /dev/zero'
  },
}

const ofTables = {
  'row cut': (file, choice) =>
    changeRows(file, (rows) => {
      const at = choice.between(1, rows.length - 1)
      rows.splice(at, 1)
      return `without row ${at}`
    }),
  'row doubled': (file, choice) =>
    changeRows(file, (rows) => {
      const at = choice.between(1, rows.length - 1)
      rows.splice(at, 0, rows[at])
      return `with row ${at} twice`
    }),
  'rows swapped': (file, choice) =>
    changeRows(file, (rows) => {
      const [a, b] = [choice.between(1, rows.length - 1), choice.between(1, rows.length - 1)]
      if (rows[a] === rows[b]) return null
      ;[rows[a], rows[b]] = [rows[b], rows[a]]
      return `with rows ${a} and ${b} swapped`
    }),
  digit: (file, choice) => changeDigit(file, choice),
}

const ofJson = {
  field: (file, choice) => {
    const value = JSON.parse(readFileSync(file, 'utf8'))
    const places = placesOf(value)
    const { holder, key, path } = choice.of(places)
    const before = holder[key]
    const after = otherValue(before, choice)
    if (after === undefined) delete holder[key]
    else holder[key] = after
    writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
    return `with ${path} ${JSON.stringify(before)} changed to ${JSON.stringify(after)}`
  },
  digit: (file, choice) => changeDigit(file, choice),
}

export function kindsFor(name) {
  if (name.endsWith('.csv')) return { ...ofAll, ...ofTables }
  return name.endsWith('.json') ? { ...ofAll, ...ofJson } : ofAll
}

function replaceBy(file, other, description) {
  if (other === null || readFileSync(other).equals(readFileSync(file))) return null
  copyFileSync(other, file)
  return description
}

function changeRows(file, change) {
  const rows = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  if (rows.length < 2) return null
  const description = change(rows)
  writeFileSync(file, rows.map((row) => `${row}\n`).join(''))
  return description
}

function changeDigit(file, choice) {
  const text = readFileSync(file, 'utf8')
  const places = [...text.matchAll(/\d/g)].map(({ index }) => index)
  const at = choice.of(places)
  const digit = (Number(text[at]) + choice.between(1, 9)) % 10
  writeFileSync(file, `${text.slice(0, at)}${digit}${text.slice(at + 1)}`)
  return `with digit ${at} changed from ${text[at]} to ${digit}`
}

/** Returns all leaves of a JSON value with their paths. */
function placesOf(value, path = '') {
  return Object.entries(value).flatMap(([key, inner]) => {
    const own = path === '' ? key : `${path}.${key}`
    const nested = inner !== null && typeof inner === 'object' ? placesOf(inner, own) : []
    return nested.length > 0 ? nested : [{ holder: value, key, path: own }]
  })
}

function otherValue(value, choice) {
  if (choice.chance(0.2)) return undefined
  if (typeof value === 'number') return choice.of([value + 1, -value - 1, value * 10, 1e308])
  if (typeof value === 'string') return choice.of([`${value}x`, '', value.slice(1)])
  if (typeof value === 'boolean') return !value
  return choice.of([1, 'x', {}])
}
