/**
 * Checks of arguments, equivalent to those of native/addon; the module trusts its callers. Each function reads its argument
 * once, returns the value that it has read, and throws a TypeError or a RangeError with the argument's name.
 */

import type { Tape } from '../../formulas/tape.js'
import type { TrainerState } from '../../model/state.js'
import type {
  CoreActivation,
  CoreAdam,
  CoreEigenLoss,
  CoreSgd,
  CoreSpec,
  CoreStepValues,
} from '../core-spec.js'
import type { CoreNoise } from '../core-trainer.js'

// The same bounds as in native/addon/spec.cc.
const maximalWord = 2 ** 32 - 1
const maximalActivations = 2 ** 30
const maximalMinimum = 2 ** 17
const activations: readonly CoreActivation[] = ['relu', 'leaky-relu', 'silu']

export function checkedSpec(value: unknown): CoreSpec {
  const spec = object(value, 'spec')
  const widths = array(spec.widths, 'spec.widths', 2, 2 ** 16).map((width, i) =>
    integer(width, `spec.widths[${i}]`, 1, 2 ** 16),
  )
  const layerCount = 2 * widths.length - 3
  const largestBatch = Math.min(2 ** 16, Math.floor(maximalActivations / Math.max(...widths)))
  return {
    widths,
    batchNorm: array(spec.batchNorm, 'spec.batchNorm', layerCount, layerCount).map((has, i) =>
      boolean(has, `spec.batchNorm[${i}]`),
    ),
    activation: oneOf(spec.activation, 'spec.activation', activations),
    slope: within(number(spec.slope, 'spec.slope'), 'spec.slope', 0, 1),
    eigenLosses: array(spec.eigenLosses, 'spec.eigenLosses', 0, 64).map((eigenLoss, i) =>
      checkedEigenLoss(eigenLoss, `spec.eigenLosses[${i}]`, layerCount),
    ),
    optimizer: checkedOptimizer(spec.optimizer),
    averaging: checkedAveraging(spec.averaging),
    batchSize: integer(spec.batchSize, 'spec.batchSize', 1, largestBatch),
    seed: integer(spec.seed, 'spec.seed', 0, maximalWord),
    noise: number(spec.noise, 'spec.noise'),
    threads: integer(spec.threads, 'spec.threads', 1, 2 ** 12),
  }
}

/** @param layerCount the layers of the network but the output */
function checkedEigenLoss(value: unknown, name: string, layerCount: number): CoreEigenLoss {
  const { center, layers, tapes, minimumImages } = object(value, name)
  const positions = checkedLayers(layers, `${name}.layers`, layerCount)
  const { length } = positions
  return {
    center: boolean(center, `${name}.center`),
    layers: positions,
    tapes: array(tapes, `${name}.tapes`, length, length).map((tape, i) =>
      checkedTape(tape, `${name}.tapes[${i}]`),
    ),
    minimumImages: integer(minimumImages, `${name}.minimumImages`, 1, maximalMinimum),
  }
}

/** The module checks the instructions. */
function checkedTape(value: unknown, name: string): Tape {
  const { words, constants } = object(value, name)
  return {
    words: typedArray(words, `${name}.words`, 'Uint32Array').slice(),
    constants: finite(
      typedArray(constants, `${name}.constants`, 'Float64Array').slice(),
      `${name}.constants`,
    ),
  }
}

function checkedLayers(value: unknown, name: string, layerCount: number): readonly number[] {
  const layers = array(value, name, 1, layerCount).map((layer, i) =>
    integer(layer, `${name}[${i}]`, 0, layerCount - 1),
  )
  const wrong = layers.findIndex((layer, i) => i > 0 && layer <= layers[i - 1]!)
  if (wrong > 0) throw new RangeError(`${name}[${wrong}] must be above the one before`)
  return layers
}

function checkedOptimizer(value: unknown): CoreAdam | CoreSgd {
  const optimizer = object(value, 'spec.optimizer')
  const kind = oneOf(optimizer.kind, 'spec.optimizer.kind', ['adam', 'sgd'])
  const field = (key: string) => number(optimizer[key], `spec.optimizer.${key}`)
  return kind === 'adam'
    ? {
        kind,
        beta1: field('beta1'),
        beta2: field('beta2'),
        epsilon: field('epsilon'),
        weightDecay: field('weightDecay'),
      }
    : {
        kind,
        momentum: field('momentum'),
        nesterov: boolean(optimizer.nesterov, 'spec.optimizer.nesterov'),
      }
}

function checkedAveraging(value: unknown): number | null {
  if (value === null || value === undefined) return null
  return within(number(value, 'spec.averaging'), 'spec.averaging', 0, 1)
}

/** Checks the values of a call's steps, copies of which are returned. */
export function checkedStepValues(value: unknown, steps: number, terms: number): CoreStepValues {
  const { learningRates, weights } = object(value, 'values')
  return {
    learningRates: doubles(learningRates, 'values.learningRates', steps),
    weights: doubles(weights, 'values.weights', steps * terms),
  }
}

function doubles(value: unknown, name: string, length: number): Float64Array {
  return finite(ofLength(typedArray(value, name, 'Float64Array'), name, length).slice(), name)
}

function finite(values: Float64Array, name: string): Float64Array {
  if (values.some((each) => !Number.isFinite(each))) throw new RangeError(`${name} must be of finite numbers`)
  return values
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

/** Numbers in each array of a state; 0 averages without averaging. */
export interface StateCounts {
  readonly parameters: number
  readonly statistics: number
  readonly averaged: boolean
}

export function checkedState(
  value: unknown,
  { parameters, statistics, averaged }: StateCounts,
): TrainerState {
  const state = object(value, 'state')
  const floats = (name: keyof TrainerState, length: number) =>
    ofLength(checkedFloats(state[name], `state.${name}`), `state.${name}`, length)
  return {
    step: integer(state.step, 'state.step', 0, Number.MAX_SAFE_INTEGER),
    parameters: floats('parameters', parameters),
    firstMoments: floats('firstMoments', parameters),
    secondMoments: floats('secondMoments', parameters),
    runningStatistics: floats('runningStatistics', statistics),
    averagedParameters: floats('averagedParameters', averaged ? parameters : 0),
    averagedStatistics: floats('averagedStatistics', averaged ? statistics : 0),
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

function ofLength<Values extends { readonly length: number }>(
  values: Values,
  name: string,
  length: number,
): Values {
  if (values.length !== length) throw new RangeError(`${name} must be an array of ${length} numbers`)
  return values
}

interface TypedArrays {
  readonly Uint8Array: Uint8Array
  readonly Uint32Array: Uint32Array
  readonly Float32Array: Float32Array
  readonly Float64Array: Float64Array
}

const constructors = { Uint8Array, Uint32Array, Float32Array, Float64Array } as const
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
