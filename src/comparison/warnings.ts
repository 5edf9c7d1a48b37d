import { basename } from 'node:path'
import { latentDimension } from '../model/architecture.js'
import { metricOf, metrics } from '../runs/metrics.js'
import type { WholeRun } from '../runs/read.js'
import { tooFewImages } from '../spectrum/spectrum.js'
import { type Group, unusableLine } from './groups.js'
import { differingPaths, type Fields, fieldsOf } from './labels.js'
import { differingMakers, makersText } from './makers.js'

/** What should be known before the numbers are believed, a line each. */
export function warningsOf(groups: readonly Group[]): readonly string[] {
  return [
    ...groups.flatMap(withinGroup),
    ...groups.flatMap(({ runs }) => runs.flatMap(lostRows)),
    ...groups.flatMap(lackingMetrics),
    ...groups.flatMap(fewImages),
    ...acrossGroups(groups),
    ...groups.flatMap(({ name, leftOut }) => leftOut.map((run) => leftOutLine(run, name))),
    ...groups.flatMap(({ name, unusable }) => unusable.map((run) => unusableLine(run, name))),
  ]
}

/** Runs of a group are to differ in their seeds alone. */
function withinGroup({ name, runs }: Group): readonly string[] {
  const paths = differingPaths(runs.map(({ config }) => fieldsOf(config)))
  const seeds = runs.map(({ record }) => record.seed)
  const repeated = [...new Set(seeds.filter((seed, index) => seeds.indexOf(seed) !== index))]
  const makers = differingMakers(runs.map((run) => [run]))
  return [
    ...(paths.length > 0 ? [`${name}: its runs differ in ${paths.join(', ')}`] : []),
    ...(makers.length > 0 ? [`${name}: its runs differ in ${makersText(makers)}`] : []),
    ...(repeated.length > 0 ? [`${name}: holds seed ${repeated.join(', ')} more than once`] : []),
  ]
}

/** The last row that is left would be taken for the last epoch. */
function lostRows({ folder, record, config, metrics, spectrumRows }: WholeRun): readonly string[] {
  if (record.status !== 'completed') return []
  const lost = (file: string, there: number, written: number, what: string) =>
    there === written
      ? []
      : [`${folder}: its ${file} has ${there} of ${written} ${what}, though the run is complete`]
  return [
    ...lost('metrics.csv', metrics.length, record.epochs, 'epochs'),
    ...lost('spectrum.csv', spectrumRows, (record.epochs + 1) * latentDimension(config.model), 'rows'),
  ]
}

/** A mean over fewer runs than the others of its arm is not to pass unnoticed. */
function lackingMetrics({ name, runs }: Group): readonly string[] {
  return metrics.flatMap((metric) => {
    const lacking = runs.filter((run) => metricOf(run, metric) === null).map(({ folder }) => folder)
    if (lacking.length === 0 || lacking.length === runs.length) return []
    return [`${name}: ${lacking.join(', ')} ${lacking.length === 1 ? 'lacks' : 'lack'} ${metric}`]
  })
}

function fewImages({ name, runs }: Group): readonly string[] {
  const { model, spectrum } = runs[0]!.config
  const few = tooFewImages(spectrum.images, latentDimension(model), spectrum.center)
  return few === null ? [] : [`${name}: ${few}`]
}

// Where these differ, the numbers do not measure the same thing.
const yardstick = /^(data|spectrum)\.|^train\.epochs$/
// What an arm is about, most of the time.
const compared = /^(loss|model)\./

function acrossGroups(groups: readonly Group[]): readonly string[] {
  const paths = differingPaths(groups.map(({ runs }) => fieldsOf(runs[0]!.config)))
  const besides = paths.filter((path) => !compared.test(path) && !inNames(path, groups))
  const only = paths.length === 1 && !yardstick.test(paths[0]!)
  const files = differingPaths(groups.map(({ runs }) => dataOf(runs[0]!)))
  return [
    ...(besides.length > 0 && !only
      ? [`the groups ${besides.length < paths.length ? 'also ' : ''}differ in ${besides.join(', ')}`]
      : []),
    ...(files.length > 0 ? [`the groups were trained on other data: ${files.join(', ')} differ`] : []),
    ...otherMakers(groups),
  ]
}

/** Other engines add in another order or draw other noise. */
function otherMakers(groups: readonly Group[]): readonly string[] {
  const differing = differingMakers(groups.map(({ runs }) => runs))
  if (differing.length === 0) return []
  return [`the groups differ in ${makersText(differing)}: differences between them may come from that`]
}

/** A sweep's grid names its arms by what differs in them: that is meant to. */
function inNames(path: string, groups: readonly Group[]): boolean {
  return !yardstick.test(path) && groups.every(({ name }) => basename(name).includes(`,${path}=`))
}

function dataOf({ record }: WholeRun): Fields {
  return new Map(Object.entries(record.dataSha256))
}

function leftOutLine({ folder, status, record }: WholeRun, group: string): string {
  const error = record.status === 'failed' ? ` (${record.error.split('\n')[0]})` : ''
  return `left out of ${group}: ${folder} is ${status}, not complete${error}`
}
