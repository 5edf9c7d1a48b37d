import { basename } from 'node:path'
import { effectWarnings } from '../config/check.js'
import { configSchema } from '../config/schema.js'
import { latentDimension } from '../model/architecture.js'
import { metricOf, metrics } from '../runs/metrics.js'
import type { WholeRun } from '../runs/read.js'
import { tooFewImages } from '../spectrum/spectrum.js'
import type { ArmRuns, UnusableRun } from './comparison.js'
import { differingPaths, fieldsOf } from './labels.js'
import { commonSweep, variedPaths } from './sweep-arms.js'

/**
 * Returns what a reader should know before trusting the numbers, one warning per line.
 * @param dropped the arms without a completed run
 */
export function warningsOf(arms: readonly ArmRuns[], dropped: readonly ArmRuns[]): readonly string[] {
  return [
    ...arms.flatMap(differencesWithin),
    ...arms.flatMap(missingMetrics),
    ...arms.flatMap(tooFewSpectrumImages),
    ...arms.flatMap(lossesWithoutEffect),
    ...differencesBetween(arms),
    ...arms.flatMap(({ name, leftOut }) => leftOut.map((run) => incompleteText(run, name))),
    ...arms.flatMap(({ name, unusable }) => unusable.map((run) => unusableText(run, name))),
    ...dropped.map(droppedText),
    ...dropped.flatMap(({ name, unusable }) => unusable.map((run) => unusableText(run, name))),
  ]
}

/** The runs of an arm should differ only in their seeds. */
function differencesWithin({ name, runs }: ArmRuns): readonly string[] {
  const paths = differingPaths(runs.map(({ config }) => fieldsOf(config)))
  const seeds = runs.map(({ record }) => record.seed)
  const repeated = [...new Set(seeds.filter((seed, index) => seeds.indexOf(seed) !== index))]
  const origins = originText(runs.map((run) => [run]))
  const files = differingPaths(runs.map(dataFiles))
  return [
    ...(paths.length > 0 ? [`${name}: its runs differ in ${paths.join(', ')}`] : []),
    ...(origins === '' ? [] : [`${name}: its runs differ in ${origins}`]),
    ...(files.length > 0
      ? [`${name}: its runs were trained on different data: ${files.join(', ')} differ`]
      : []),
    ...(repeated.length > 0 ? [`${name}: has seed ${repeated.join(', ')} more than once`] : []),
  ]
}

/** Names the runs whose lack of a metric makes the arm's mean one over fewer runs. */
function missingMetrics({ name, runs }: ArmRuns): readonly string[] {
  return metrics.flatMap((metric) => {
    const lacking = runs.filter((run) => metricOf(run, metric) === null).map(({ folder }) => folder)
    if (lacking.length === 0 || lacking.length === runs.length) return []
    return [`${name}: ${lacking.join(', ')} ${lacking.length === 1 ? 'lacks' : 'lack'} ${metric}`]
  })
}

function tooFewSpectrumImages({ name, runs }: ArmRuns): readonly string[] {
  const { model, spectrum } = runs[0]!.config
  const warning = tooFewImages(spectrum.images, latentDimension(model), spectrum.center)
  return warning === null ? [] : [`${name}: ${warning}`]
}

/** A config of another version may have losses that this one does not know. */
function lossesWithoutEffect({ name, runs }: ArmRuns): readonly string[] {
  const { data } = configSchema.safeParse(runs[0]!.config)
  return data === undefined ? [] : effectWarnings(data).map((warning) => `${name}: ${warning}`)
}

// If these fields differ, the metrics of the arms do not measure the same quantity.
const comparabilityPaths = /^(data|spectrum)\.|^train\.epochs$/
// Most comparisons are about differences in these fields.
const comparedPaths = /^(loss|model)\./

function differencesBetween(arms: readonly ArmRuns[]): readonly string[] {
  const paths = differingPaths(arms.map(({ runs }) => fieldsOf(runs[0]!.config)))
  const sweep = commonSweep(arms)
  const swept = new Set(sweep === null ? [] : variedPaths(sweep))
  const isIntended = (path: string) =>
    !comparabilityPaths.test(path) &&
    // The grid of a sweep names its arms by the fields that it varies.
    (swept.has(path) || arms.every(({ name }) => basename(name).includes(`,${path}=`)))
  const unexpected = paths.filter((path) => !comparedPaths.test(path) && !isIntended(path))
  const isOnlyDifference = paths.length === 1 && !comparabilityPaths.test(paths[0]!)
  const files = differingPaths(arms.map(({ runs }) => dataFiles(runs[0]!)))
  const origins = originText(arms.map(({ runs }) => runs))
  return [
    ...(unexpected.length > 0 && !isOnlyDifference
      ? [`the arms ${unexpected.length < paths.length ? 'also ' : ''}differ in ${unexpected.join(', ')}`]
      : []),
    ...(files.length > 0 ? [`the arms were trained on different data: ${files.join(', ')} differ`] : []),
    // Other engines add in another order or draw other noise.
    ...(origins === '' ? [] : [`the arms differ in ${origins}: this may cause differences between them`]),
  ]
}

/** The properties of a run's origin that can change its results. The number of threads cannot. */
const originProperties: Readonly<Record<string, (run: WholeRun) => string>> = {
  device: ({ record }) => record.device,
  engine: ({ record }) => `${record.engine.name} ${record.engine.variant}`,
  eigenae: ({ record }) => record.versions.eigenae,
}

/** Returns the properties of the origin that are not the same in all samples with runs, and a text for each sample. */
export function originDifferences(samples: readonly (readonly WholeRun[])[]) {
  return Object.entries(originProperties)
    .map(([name, of]) => ({
      name,
      values: samples.map((runs) => [...new Set(runs.map(of))].sort().join(' and ')),
    }))
    .filter(({ values }) => new Set(values.filter((_, sample) => samples[sample]!.length > 0)).size > 1)
}

/** Returns "device (cpu, cuda), engine (native avx2, tensorflow 2.15)"; "" if the samples have the same origin. */
function originText(samples: readonly (readonly WholeRun[])[]): string {
  return originDifferences(samples)
    .map(({ name, values }) => `${name} (${[...new Set(values)].join(', ')})`)
    .join(', ')
}

function dataFiles({ record }: WholeRun): ReadonlyMap<string, string> {
  return new Map(Object.entries(record.dataSha256))
}

function incompleteText({ folder, status, record }: WholeRun, arm: string): string {
  const reason =
    record.status === 'failed' ? `failed (${record.error.split('\n')[0]})` : `is ${status}, not complete`
  return `left out of ${arm}: ${folder} ${reason}`
}

function droppedText({ name, leftOut, unusable }: ArmRuns): string {
  const states = new Set([...leftOut.map((run) => run.status), ...unusable.map(() => 'damaged')])
  return `left out: ${name}, ${[...states].join(', ')}`
}

/** Returns a line that explains why a damaged run is left out of its arm. */
export function unusableText({ folder, error }: UnusableRun, arm: string): string {
  const { problem, subject = folder, details = [], hint } = error.parts
  const lines = [`${subject}: ${problem}`, ...details].join('; ')
  return `left out of ${arm}: ${lines}${hint === undefined ? '' : `. ${hint}`}`
}
