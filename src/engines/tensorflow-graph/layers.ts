import type { Layer } from '../../model/architecture.js'
import type { TensorKind } from '../../model/layout.js'
import { type BatchMoments, normaliseBackward, normaliseBatch, normaliseByStatistics } from './batch-norm.js'
import type { EigenLossTerm } from './eigen-losses.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import type { LayerValues } from './variables.js'

/** A layer's values in the forward pass, which the backward pass needs. */
export interface LayerPass {
  readonly layer: Layer
  readonly values: LayerValues
  /** [replicas][batch][inputs] */
  readonly input: Value
  /** Null without batch norm. */
  readonly moments: BatchMoments | null
  /** [replicas][batch][outputs], after the activation. */
  readonly output: Value
}

/** The gradients at one layer's parameters. */
export interface LayerGradients {
  readonly gradients: Readonly<Partial<Record<TensorKind, Value>>>
  /** The ops that read the weight in the backward pass, and so must run before it changes. */
  readonly after: readonly Value[]
}

/** Training's forward pass: batch norm by the batch's own moments. */
export function forward(
  ops: Ops,
  layers: readonly Layer[],
  values: readonly LayerValues[],
  input: Value,
): readonly LayerPass[] {
  const passes: LayerPass[] = []
  for (const [position, layer] of layers.entries()) {
    passes.push(layerForward(ops, layer, values[position]!, passes.at(-1)?.output ?? input))
  }
  return passes
}

function layerForward(ops: Ops, layer: Layer, values: LayerValues, input: Value): LayerPass {
  const product = ops.matMul(input, values.weight!, { transposeB: true })
  if (!layer.batchNorm) {
    const output = activate(ops, layer, ops.add(product, values.bias!))
    return { layer, values, input, moments: null, output }
  }
  const { output, moments } = normaliseBatch(ops, product, values)
  return { layer, values, input, moments, output: activate(ops, layer, output) }
}

/** Inference through the given layers: batch norm by its running statistics. */
export function inference(
  ops: Ops,
  layers: readonly Layer[],
  values: readonly LayerValues[],
  input: Value,
): Value {
  return layers.reduce((x, layer, position) => {
    const product = ops.matMul(x, values[position]!.weight!, { transposeB: true })
    const linear = ops.add(product, values[position]!.bias!)
    const normalised = layer.batchNorm ? normaliseByStatistics(ops, linear, values[position]!) : linear
    return activate(ops, layer, normalised)
  }, input)
}

function activate(ops: Ops, { activation }: Layer, x: Value): Value {
  if (activation === 'linear') return x
  return activation === 'relu' ? ops.relu(x) : ops.sigmoid(x)
}

/** The backward pass from `gradient` [replicas][batch][outputs], the gradient at the last layer before its activation. */
export function backward(
  ops: Ops,
  passes: readonly LayerPass[],
  gradient: Value,
  eigenLoss: EigenLossTerm | null,
): readonly LayerGradients[] {
  const latent = passes.length / 2 - 1
  const all: LayerGradients[] = []
  let current = gradient
  for (let position = passes.length - 1; position >= 0; position--) {
    const pass = passes[position]!
    const term = position === latent ? eigenLoss : null
    if (term !== null) current = ops.add(current, term.gradient)
    if (pass.layer.activation === 'relu') current = ops.reluGradient(current, pass.output)
    const { linear, vectors } = normBackward(ops, pass, current)
    if (position === latent && pass.moments !== null && passes[position + 1]!.moments !== null)
      vectors.beta = latentBetaGradient(ops, pass, term)
    const weight = ops.matMul(linear, pass.input, { transposeA: true })
    if (position > 0) current = ops.matMul(linear, pass.values.weight!)
    all.unshift({ gradients: { weight, ...vectors }, after: position > 0 ? [current] : [] })
  }
  return all
}

/** Returns the gradients at the linear map and at the vectors. A bias before batch norm has none: batch norm cancels it. */
function normBackward(ops: Ops, { moments, values }: LayerPass, gradient: Value) {
  const vectors: Partial<Record<TensorKind, Value>> = {}
  if (moments === null) {
    vectors.bias = ops.sum(gradient, [1])
    return { linear: gradient, vectors }
  }
  const { x, gamma, beta } = normaliseBackward(ops, moments, values.gamma!, gradient)
  vectors.gamma = gamma
  vectors.beta = beta
  return { linear: x, vectors }
}

/**
 * The gradient at beta of the latent layer if the next layer has batch norm, too: with no activation between, that cancels
 * beta in the squared error, so only the eigen losses contribute. The zeros keep rounding out of Adam's moments.
 */
function latentBetaGradient(ops: Ops, { values }: LayerPass, term: EigenLossTerm | null): Value {
  return term === null ? ops.multiply(values.beta!, ops.float(0)) : term.gradientSums
}
