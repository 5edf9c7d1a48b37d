import type { Architecture, Layer } from './architecture.js'
import {
  type Layout,
  layoutOf,
  type NamedTensor,
  type Tensor,
  tensorValues,
  unpackTensors,
} from './layout.js'
import { fillNormals, philoxInto, purpose } from './random.js'

/** Everything that training changes, as flat arrays in the order of layout.ts. */
export interface TrainerState {
  /** Adam steps taken. */
  readonly step: number
  readonly parameters: Float32Array
  readonly firstMoments: Float32Array
  readonly secondMoments: Float32Array
  readonly runningStatistics: Float32Array
  /** Averages of `parameters` and `runningStatistics`, empty if the optimiser keeps none. Before the first step, the same. */
  readonly averagedParameters: Float32Array
  readonly averagedStatistics: Float32Array
}

/** Distributions of the initial weights. */
export type Initialisation = 'he-uniform' | 'orthogonal'

/** The properties of a training that determine the arrays of its state. */
export interface StateSpec extends Architecture {
  /** `averaging` is null if the optimiser keeps no averages. */
  readonly optimizer: { readonly averaging: object | null }
}

/** A flat array of a state. */
export type StatePart = Exclude<keyof TrainerState, 'step'>

interface PartLayout {
  readonly part: StatePart
  readonly tensors: readonly Tensor[]
  readonly length: number
  /** Precedes the names of its tensors in a checkpoint. */
  readonly prefix: string
}

/** Returns the arrays of a state in the order in which the core passes them, without averages if there are none. */
export function statePartsOf(spec: StateSpec): readonly PartLayout[] {
  const layout = layoutOf(spec)
  const parameters = { tensors: layout.parameters, length: layout.parameterCount }
  const statistics = { tensors: layout.runningStatistics, length: layout.runningStatisticCount }
  const parts: readonly PartLayout[] = [
    { part: 'parameters', ...parameters, prefix: '' },
    { part: 'firstMoments', ...parameters, prefix: 'adam.first.' },
    { part: 'secondMoments', ...parameters, prefix: 'adam.second.' },
    { part: 'runningStatistics', ...statistics, prefix: '' },
  ]
  if (spec.optimizer.averaging === null) return parts
  return [
    ...parts,
    { part: 'averagedParameters', ...parameters, prefix: 'averaged.' },
    { part: 'averagedStatistics', ...statistics, prefix: 'averaged.' },
  ]
}

/** Returns the part with the averages of a part, if there are any. */
export function averagedPart(part: StatePart): StatePart {
  return part === 'runningStatistics' ? 'averagedStatistics' : 'averagedParameters'
}

/** Returns a state with the arrays that `read` returns. Averages are empty if there are none. */
export function stateOf(
  spec: StateSpec,
  step: number,
  read: (layout: PartLayout) => Float32Array,
): TrainerState {
  const none = new Float32Array(0)
  const arrays = statePartsOf(spec).map((layout) => [layout.part, read(layout)] as const)
  return {
    ...{ step, averagedParameters: none, averagedStatistics: none },
    ...(Object.fromEntries(arrays) as unknown as Omit<TrainerState, 'step'>),
  }
}

/** Returns the state in which a network's training begins: the moments are 0, and the averages are the network's numbers. */
export function stateOfNetwork(spec: StateSpec, { parameters, runningStatistics }: Network): TrainerState {
  const known: Partial<Record<StatePart, Float32Array>> = {
    ...{ parameters, averagedParameters: parameters },
    ...{ runningStatistics, averagedStatistics: runningStatistics },
  }
  return stateOf(spec, 0, ({ part, length }) => known[part] ?? new Float32Array(length))
}

/** Returns the state before training: weights and biases named by the seed, gamma 1, beta 0, running mean 0, variance 1. */
export function initialState(
  spec: StateSpec & { readonly init: Initialisation },
  seed: number,
): TrainerState {
  const layout = layoutOf(spec)
  const parameters = initialParameters(layout, spec.init, seed)
  return stateOfNetwork(spec, { parameters, runningStatistics: initialRunningStatistics(layout) })
}

type Network = Pick<TrainerState, 'parameters' | 'runningStatistics'>

/** Returns the network that is evaluated and kept: the averaged one if there is one. */
export function evaluatedNetwork(state: TrainerState): Network {
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
  { parameters, runningStatistics }: Network,
): Map<string, NamedTensor> {
  const layout = layoutOf(architecture)
  return new Map([
    ...unpackTensors(layout.parameters, parameters),
    ...unpackTensors(layout.runningStatistics, runningStatistics),
  ])
}
