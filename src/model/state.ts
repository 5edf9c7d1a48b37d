import type { Architecture, Layer } from './architecture.js'
import { type Layout, layoutOf, type NamedTensor, tensorValues, unpackTensors } from './layout.js'
import { fillNormals, philoxInto, purpose } from './random.js'

/** Everything that training changes, as flat arrays in the order of layout.ts. */
export interface TrainerState {
  /** Adam steps taken. */
  readonly step: number
  readonly parameters: Float32Array
  readonly firstMoments: Float32Array
  readonly secondMoments: Float32Array
  readonly runningStatistics: Float32Array
  /** Averages of `parameters` and `runningStatistics`; empty without averaging. Before the first step, copies. */
  readonly averagedParameters: Float32Array
  readonly averagedStatistics: Float32Array
}

/** Distributions of the initial weights. */
export type Initialisation = 'he-uniform' | 'orthogonal'

/** The properties of a training, besides the seed, that determine its first state. */
interface InitialSpec extends Architecture {
  readonly init: Initialisation
  /** Null without averaging. */
  readonly averaging: number | null
}

/** A flat array of a state. */
export type StatePart = Exclude<keyof TrainerState, 'step'>

/** Returns the lengths of a state's arrays, in the order in which the core passes them. */
export function stateLengths(
  spec: Architecture & Pick<InitialSpec, 'averaging'>,
): readonly (readonly [StatePart, number])[] {
  const { parameterCount, runningStatisticCount } = layoutOf(spec)
  const isAveraged = spec.averaging !== null
  return [
    ['parameters', parameterCount],
    ['firstMoments', parameterCount],
    ['secondMoments', parameterCount],
    ['runningStatistics', runningStatisticCount],
    ['averagedParameters', isAveraged ? parameterCount : 0],
    ['averagedStatistics', isAveraged ? runningStatisticCount : 0],
  ]
}

/** Returns the state before training: weights and biases named by the seed, gamma 1, beta 0, running mean 0, variance 1. */
export function initialState(spec: InitialSpec, seed: number): TrainerState {
  const layout = layoutOf(spec)
  const parameters = initialParameters(layout, spec.init, seed)
  const runningStatistics = initialRunningStatistics(layout)
  const averaged = (values: Float32Array) => (spec.averaging === null ? new Float32Array(0) : values.slice())
  return {
    step: 0,
    parameters,
    firstMoments: new Float32Array(layout.parameterCount),
    secondMoments: new Float32Array(layout.parameterCount),
    runningStatistics,
    averagedParameters: averaged(parameters),
    averagedStatistics: averaged(runningStatistics),
  }
}

/** Returns the network that is evaluated and kept: the averaged one if there is one. */
export function evaluatedNetwork(
  state: TrainerState,
): Pick<TrainerState, 'parameters' | 'runningStatistics'> {
  if (state.averagedParameters.length === 0) return state
  return { parameters: state.averagedParameters, runningStatistics: state.averagedStatistics }
}

/** Biases are uniform within ±1 / sqrt(fan_in), `nn.Linear`'s default. */
function initialParameters(layout: Layout, init: Initialisation, seed: number): Float32Array {
  const parameters = new Float32Array(layout.parameterCount)
  layout.parameters.forEach((tensor, position) => {
    const values = tensorValues(tensor, parameters)
    if (tensor.kind === 'weight') fillWeights[init](values, tensor.layer, seed, position)
    else if (tensor.kind === 'bias') fillUniform(values, 1 / Math.sqrt(tensor.layer.inputs), seed, position)
    else if (tensor.kind === 'gamma') values.fill(1)
  })
  return parameters
}

type FillWeights = (values: Float32Array, layer: Layer, seed: number, tensor: number) => void

const fillWeights: Readonly<Record<Initialisation, FillWeights>> = {
  // Within ±sqrt(6 / fan_in), PyTorch's `kaiming_uniform_` default.
  'he-uniform': (values, { inputs }, seed, tensor) =>
    fillUniform(values, Math.sqrt(6 / inputs), seed, tensor),
  orthogonal: fillOrthogonal,
}

/** Element i is (2u − 1)·bound, u the upper 24 bits of word i % 4 of block [i / 4, tensor, 0, 0]. */
function fillUniform(values: Float32Array, bound: number, seed: number, tensor: number): void {
  const block = new Uint32Array(4)
  for (let i = 0; i < values.length; i++) {
    if (i % 4 === 0) philoxInto(block, i / 4, tensor, 0, 0, seed, purpose.initialParameters)
    values[i] = (2 * ((block[i % 4]! >>> 8) / 0x100_0000) - 1) * bound
  }
}

/** The gain for ReLU: torch.nn.init.calculate_gain('relu'). */
const gain = Math.SQRT2

/**
 * Fills a weight [outputs][inputs] with orthonormal rows, or columns if it has more rows than columns, times √2:
 * torch.nn.init.orthogonal_. The vectors are Gram and Schmidt's of normal ones, which are named by the seed and the
 * tensor, so the weight is uniformly distributed.
 */
function fillOrthogonal(
  weight: Float32Array,
  { inputs, outputs }: Pick<Layer, 'inputs' | 'outputs'>,
  seed: number,
  tensor: number,
): void {
  const [count, length] = [Math.min(inputs, outputs), Math.max(inputs, outputs)]
  const vectors = new Float64Array(count * length)
  fillNormals(vectors, [seed, purpose.initialParameters], [tensor, 1])
  for (let i = 0; i < count; i++) orthonormalise(vectors, i, length)
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < length; k++) {
      weight[outputs <= inputs ? i * inputs + k : k * inputs + i] = gain * vectors[i * length + k]!
    }
  }
}

/** Makes vector i orthogonal to those before it, twice because once leaves rounding errors, and of length 1. */
function orthonormalise(vectors: Float64Array, i: number, length: number): void {
  const vector = vectors.subarray(i * length, (i + 1) * length)
  for (let pass = 0; pass < 2; pass++) {
    for (let j = 0; j < i; j++) {
      const other = vectors.subarray(j * length, (j + 1) * length)
      const product = dot(vector, other)
      for (let k = 0; k < length; k++) vector[k]! -= product * other[k]!
    }
  }
  const norm = Math.sqrt(dot(vector, vector))
  for (let k = 0; k < length; k++) vector[k]! /= norm
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!
  return sum
}

function initialRunningStatistics(layout: Layout): Float32Array {
  const statistics = new Float32Array(layout.runningStatisticCount)
  for (const tensor of layout.runningStatistics) {
    if (tensor.kind === 'running_var') tensorValues(tensor, statistics).fill(1)
  }
  return statistics
}

/** Returns a network by the names of model.safetensors: its parameters, then its running statistics; views, not copies. */
export function modelTensors(
  architecture: Architecture,
  { parameters, runningStatistics }: Pick<TrainerState, 'parameters' | 'runningStatistics'>,
): Map<string, NamedTensor> {
  const layout = layoutOf(architecture)
  return new Map([
    ...unpackTensors(layout.parameters, parameters),
    ...unpackTensors(layout.runningStatistics, runningStatistics),
  ])
}
