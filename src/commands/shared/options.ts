import { availableParallelism } from 'node:os'
import { type CommandUnknownOpts, Option } from 'commander'
import { type Override, parseSetting } from '../../config/load.js'
import { devices, maximumNoise, type RequestedDevice } from '../../config/schema.js'
import { type DataSet, firstImages, type Split } from '../../data/load.js'
import { usageError } from '../../errors.js'
import { type Metric, metrics } from '../../runs/metrics.js'
import { type Expression, parseExpression } from '../../runs/query.js'
import { nearestName } from '../../text/names.js'
import type { ComputeOptions } from '../../training/trained-model.js'

/** The flags of a command, as its options declare them. `declaration` returns the command without its action. */
export type FlagsOf<Declaration extends () => CommandUnknownOpts> = ReturnType<
  ReturnType<Declaration>['opts']
>

/** Returns a parser of whole numbers from `minimum`. */
export function wholeNumber(flag: string, minimum: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < minimum || !Number.isSafeInteger(number)) {
      throw usageError({ problem: `must be a whole number from ${minimum} (got "${value}")`, subject: flag })
    }
    return number
  }
}

/** More threads than any machine has cores would only use up its memory. */
const maximumThreads = 1024

/** Returns --threads, without a default. */
export function threadsOption() {
  const description = 'number of threads (default: one per core); never changes a result'
  return new Option('--threads <number>', description).argParser(threadCount)
}

/** Parses the value of --threads. */
export function threadCount(value: string): number {
  const threads = wholeNumber('--threads', 1)(value)
  if (threads <= maximumThreads) return threads
  throw usageError({ problem: `must be at most ${maximumThreads} (got ${value})`, subject: '--threads' })
}

/** Returns a parser of the standard deviation of a noise. */
export function deviation(flag: string): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (value.trim() === '' || !(number >= 0 && number <= maximumNoise)) {
      throw usageError({
        problem: `must be a number from 0 to ${maximumNoise} (got "${value}")`,
        subject: flag,
      })
    }
    return number
  }
}

/** Returns --device, without a default. */
export function deviceOption(description: string) {
  return new Option('--device <device>', description).choices(devices)
}

/** Parses --set, which is repeatable. */
export function collectSettings(setting: string, before: readonly Override[]): readonly Override[] {
  return [...before, parseSetting(setting)]
}

/** Returns the override of a flag for a single config field; empty if the flag is missing. */
export function fieldOverride(flag: string, path: string, value: string | undefined): readonly Override[] {
  return value === undefined ? [] : [{ ...parseSetting(`${path}=${value}`), flag }]
}

/** Parses --where, which is repeatable. */
export function collectExpressions(text: string, before: readonly Expression[]): readonly Expression[] {
  return [...before, parseExpression(text)]
}

/** Returns an option whose value is a metric. An unknown one is rejected with the nearest name. */
export function metricOption<const Flags extends string>(flags: Flags, description: string) {
  const parse = (name: string): Metric => {
    const metric = metrics.find((each) => each === name)
    if (metric !== undefined) return metric
    const near = nearestName(name, metrics)
    throw usageError({
      problem: `unknown metric "${name}"`,
      subject: flags.replace(/ .*/, ''),
      hint: near === null ? `The metrics: ${metrics.join(', ')}.` : `Did you mean ${near}?`,
    })
  }
  // The completions offer the choices.
  return new Option(flags, description).choices(metrics).argParser(parse)
}

/** Returns --data. */
export function dataOption() {
  const description =
    'folder with the four idx files of a data set, or "mnist" (default: the data of the run)'
  return new Option('--data <folder>', description)
}

/** Returns a --split option without a default. */
export function splitOption(description: string) {
  return new Option('--split <name>', description).choices(['train', 'test'])
}

/** Returns the images chosen by --split and --images. @throws a usage error if the split has fewer images. */
export function chosenImages(
  data: DataSet,
  { split = 'test', images }: { readonly split?: 'train' | 'test'; readonly images?: number },
): Split {
  const { count } = data[split].images
  if (images !== undefined && images > count)
    throw usageError({
      problem: `is ${images}, but there are only ${count} ${split} images`,
      subject: '--images',
    })
  return firstImages(data[split], images ?? null)
}

/** Returns the choices of --device and --threads. */
export function computeOptions({ device, threads }: Partial<ComputeOptions> & { device: RequestedDevice }) {
  return { device, threads: threads ?? availableParallelism() }
}
