/**
 * Checks of arguments, equivalent to those of native/addon; the module trusts its callers. Each function reads its argument
 * once, returns the value that it has read, and throws a TypeError or a RangeError with the argument's name.
 */

import type { TrainerState } from '../../model/state.js'
import type { CoreNoise } from '../core-trainer.js'
import type { EarlierEigenLoss, EarlierSpec } from '../earlier-spec.js'

// The same bounds as in native/addon/spec.cc.
const maximalWord = 2 ** 32 - 1
const maximalActivations = 2 ** 30
const maximalParameter = 1e9
const batchNorms = ['none', 'encoder', 'all'] as const

export function checkedSpec(spec: unknown): EarlierSpec {
  const { widths, batchNorm, eigenLosses, adam, batchSize, seed, noise, threads } = object(spec, 'spec')
  const checkedWidths = array(widths, 'spec.widths', 2, 2 ** 16).map((width, i) =>
    integer(width, `spec.widths[${i}]`, 1, 2 ** 16),
  )
  const largestBatch = Math.min(2 ** 16, Math.floor(maximalActivations / Math.max(...checkedWidths)))
  return {
    widths: checkedWidths,
    batchNorm: oneOf(batchNorm, 'spec.batchNorm', batchNorms),
    activation: 'relu',
    eigenLosses: array(eigenLosses, 'spec.eigenLosses', 0, 64).map((eigenLoss, i) =>
      checkedEigenLoss(eigenLoss, `spec.eigenLosses[${i}]`),
    ),
    adam: checkedAdam(adam),
    batchSize: integer(batchSize, 'spec.batchSize', 1, largestBatch),
    seed: integer(seed, 'spec.seed', 0, maximalWord),
    noise: number(noise, 'spec.noise'),
    threads: integer(threads, 'spec.threads', 1, 2 ** 12),
  }
}

function checkedEigenLoss(value: unknown, name: string): EarlierEigenLoss {
  const { kind, weight, center, parameters } = object(value, name)
  const entries = Object.entries(object(parameters, `${name}.parameters`))
  return {
    kind: text(kind, `${name}.kind`),
    weight: number(weight, `${name}.weight`),
    center: boolean(center, `${name}.center`),
    parameters: Object.fromEntries(
      entries.map(([key, parameter]) => {
        const place = `${name}.parameters.${key}`
        return [key, within(number(parameter, place), place, -maximalParameter, maximalParameter)]
      }),
    ),
  }
}

function checkedAdam(value: unknown): EarlierSpec['adam'] {
  const { learningRate, beta1, beta2, epsilon } = object(value, 'spec.adam')
  return {
    learningRate: number(learningRate, 'spec.adam.learningRate'),
    beta1: number(beta1, 'spec.adam.beta1'),
    beta2: number(beta2, 'spec.adam.beta2'),
    epsilon: number(epsilon, 'spec.adam.epsilon'),
  }
}

export function checkedNoise(value: unknown): CoreNoise | null {
  if (value === null || value === undefined) return null
  const { seed, purpose, epoch, deviation } = object(value, 'noise')
  return {
    seed: integer(seed, 'noise.seed', 0, maximalWord),
    purpose: integer(purpose, 'noise.purpose', 0, maximalWord),
    epoch: integer(epoch, 'noise.epoch', 0, maximalWord),
    deviation: number(deviation, 'noise.deviation'),
  }
}

/** Checks a state whose arrays must have the given lengths. */
export function checkedState(value: unknown, parameterCount: number, statisticCount: number): TrainerState {
  const { step, parameters, firstMoments, secondMoments, runningStatistics } = object(value, 'state')
  const floats = (array: unknown, name: string, length: number) =>
    ofLength(checkedFloats(array, name), name, length)
  return {
    step: integer(step, 'state.step', 0, Number.MAX_SAFE_INTEGER),
    parameters: floats(parameters, 'state.parameters', parameterCount),
    firstMoments: floats(firstMoments, 'state.firstMoments', parameterCount),
    secondMoments: floats(secondMoments, 'state.secondMoments', parameterCount),
    runningStatistics: floats(runningStatistics, 'state.runningStatistics', statisticCount),
    averagedParameters: new Float32Array(0),
    averagedStatistics: new Float32Array(0),
  }
}

/** Checks an order, a copy of which is returned: indices of images, each below `images`. */
export function checkedOrder(value: unknown, images: number): Uint32Array {
  const order = typedArray(value, 'order', 'Uint32Array').slice()
  if (order.some((image) => image >= images)) throw new RangeError(`order must be of numbers below ${images}`)
  return order
}

export function checkedEpoch(value: unknown): number {
  return integer(value, 'epoch', 0, maximalWord)
}

export function checkedBytes(value: unknown, name: string): Uint8Array {
  return typedArray(value, name, 'Uint8Array')
}

export function checkedFloats(value: unknown, name: string): Float32Array {
  return typedArray(value, name, 'Float32Array')
}

/** Checks bytes or floats, which must be whole images of `inputs` pixels. */
export function checkedImages(value: unknown, inputs: number): Uint8Array | Float32Array {
  const images =
    tagOf(value) === 'Float32Array' ? checkedFloats(value, 'images') : checkedBytes(value, 'images')
  countImages(images, 'images', inputs)
  return images
}

export function countImages(values: Uint8Array | Float32Array, name: string, inputs: number): number {
  const count = values.length / inputs
  if (!Number.isInteger(count)) throw new RangeError(`${name} must be whole images of ${inputs} pixels`)
  return count
}

function object(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new TypeError(`${name} must be an object`)
  return value as Readonly<Record<string, unknown>>
}

function array(value: unknown, name: string, min: number, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array`)
  const { length } = value
  if (length < min || length > max)
    throw new RangeError(`${name} must be an array of ${min} to ${max} elements`)
  return Array.from({ length }, (_, i) => value[i] as unknown)
}

function number(value: unknown, name: string): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!Number.isFinite(value)) throw new RangeError(`${name} must be a finite number`)
  return value
}

function within(value: number, name: string, min: number, max: number): number {
  if (value < min || value > max) throw new RangeError(`${name} must be from ${min} to ${max}`)
  return value
}

function integer(value: unknown, name: string, min: number, max: number): number {
  const checked = number(value, name)
  if (Number.isInteger(checked) && checked >= min && checked <= max) return checked
  throw new RangeError(`${name} must be an integer from ${min} to ${max}`)
}

function boolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be a boolean`)
  return value
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`)
  if (value.length > 64) throw new RangeError(`${name} must be a string of at most 64 bytes`)
  if (value.includes('\0')) throw new RangeError(`${name} must be a string without zero characters`)
  return value
}

function oneOf<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text(value, name))
  if (found === undefined) throw new RangeError(`${name} must be one of ${choices.join(', ')}`)
  return found
}

function ofLength(values: Float32Array, name: string, length: number): Float32Array {
  if (values.length !== length) throw new RangeError(`${name} must be an array of ${length} numbers`)
  return values
}

interface TypedArrays {
  readonly Uint8Array: Uint8Array
  readonly Uint32Array: Uint32Array
  readonly Float32Array: Float32Array
}

const constructors = { Uint8Array, Uint32Array, Float32Array } as const
/** The getters of typed arrays, because an array may shadow them by properties of its own. */
const own = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array)

function tagOf(value: unknown): unknown {
  return Reflect.apply(own[Symbol.toStringTag].get as () => unknown, value, [])
}

/** Returns a new view of the array's memory, which no property that shadows a getter can affect. */
function typedArray<Name extends keyof TypedArrays>(
  value: unknown,
  name: string,
  type: Name,
): TypedArrays[Name] {
  if (tagOf(value) !== type) throw new TypeError(`${name} must be a ${type}`)
  const get = (key: 'buffer' | 'byteOffset' | 'length') =>
    Reflect.apply(own[key].get as () => unknown, value, [])
  try {
    const view = new constructors[type](
      get('buffer') as ArrayBuffer,
      get('byteOffset') as number,
      get('length') as number,
    )
    return view as unknown as TypedArrays[Name]
  } catch {
    throw new TypeError(`${name} must be an array whose buffer is not detached`)
  }
}
