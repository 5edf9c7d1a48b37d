import { Option } from 'commander'
import { type Override, parseSetting } from '../../config/load.js'
import { devices, maximumNoise } from '../../config/schema.js'
import { usageError } from '../../errors.js'

/** Parses a flag's value as a whole number from `minimum`. */
export function wholeNumber(flag: string, minimum: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < minimum || !Number.isSafeInteger(number)) {
      throw usageError({ problem: `must be a whole number from ${minimum} (got "${value}")`, subject: flag })
    }
    return number
  }
}

/** More threads than any machine has cores only take its memory, down to the last process's. */
const mostThreads = 1024

/** Parses the value of --threads. */
export function threadCount(value: string): number {
  const threads = wholeNumber('--threads', 1)(value)
  if (threads <= mostThreads) return threads
  throw usageError({ problem: `must be at most ${mostThreads} (got ${value})`, subject: '--threads' })
}

/** Parses a flag's value as the deviation of a noise. */
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

/** Without a default: where it is the config's, the description says so. */
export function deviceOption(description: string): Option {
  return new Option('--device <device>', description).choices(devices)
}

/** Parses a --set, which can be given as often as needed. */
export function collectSettings(setting: string, before: readonly Override[]): readonly Override[] {
  return [...before, parseSetting(setting)]
}

/** Of a flag that stands for a config field; none where it was not given. */
export function fieldOverride(flag: string, path: string, value: string | undefined): readonly Override[] {
  return value === undefined ? [] : [{ ...parseSetting(`${path}=${value}`), flag }]
}
