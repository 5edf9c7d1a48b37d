import type { Layer } from '../../model/architecture.js'
import type { TensorKind } from '../../model/layout.js'
import { type ActivationPass, activate } from './activations.js'
import { type BatchMoments, normaliseBackward, normaliseBatch, normaliseByStatistics } from './batch-norm.js'
import type { MatrixGradient } from './eigen-losses.js'
import type { Op, Value } from './graph.js'
import type { Ops } from './ops.js'
import type { LayerValues } from './variables.js'

/** A layer's values in the forward pass, which the backward pass needs. */
export interface LayerPass extends ActivationPass {
  readonly layer: Layer
  readonly values: LayerValues
  /** [replicas][batch][inputs] */
  readonly input: Value
  /** The linear map's output [replicas][batch][outputs]; without the bias if batch norm follows, which cancels it. */
  readonly linear: Value
  /** Null without batch norm. */
  readonly moments: BatchMoments | null
}

/** The gradients at one layer's parameters. */
export interface LayerGradients {
  readonly gradients: Readonly<Partial<Record<TensorKind, Value>>>
  /** The ops that read the weight in the backward pass, and so must run before it changes. */
  readonly after: readonly Op[]
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
    const linear = ops.add(product, values.bias!)
    return { layer, values, input, linear, moments: null, ...activate(ops, layer, linear) }
  }
  const { output, moments } = normaliseBatch(ops, product, values)
  return { layer, values, input, linear: product, moments, ...activate(ops, layer, output) }
}

/** Returns the matrix of a layer that eigen losses act on, [replicas][batch][outputs]: see `EigenLossSpec.layers`. */
export function layerMatrix(ops: Ops, passes: readonly LayerPass[], position: number): Value {
  const { linear, values, moments, output } = passes[position]!
  if (position === latentPosition(passes)) return output
  return moments === null ? linear : ops.add(linear, values.bias!)
}

function latentPosition(passes: readonly LayerPass[]): number {
  return passes.length / 2 - 1
}

/** A layer's values in inference, [images][outputs] each of one replica. */
export interface InferencePass {
  /** The linear map's output. */
  readonly linear: Value
  readonly output: Value
}

/** Inference through the given layers: batch norm by its running statistics. */
export function inference(
  ops: Ops,
  layers: readonly Layer[],
  values: readonly LayerValues[],
  input: Value,
): readonly InferencePass[] {
  const passes: InferencePass[] = []
  for (const [position, layer] of layers.entries()) {
    const own = values[position]!
    const product = ops.matMul(passes.at(-1)?.output ?? input, own.weight!, { transposeB: true })
    const linear = ops.add(product, own.bias!)
    const normalised = layer.batchNorm ? normaliseByStatistics(ops, linear, own) : linear
    passes.push({ linear, output: activate(ops, layer, normalised).output })
  }
  return passes
}

/**
 * The backward pass from `gradient` [replicas][batch][outputs], the gradient at the network's output.
 * @param eigenLosses the gradients at the layers' matrices, by position
 */
export function backward(
  ops: Ops,
  passes: readonly LayerPass[],
  gradient: Value,
  eigenLosses: ReadonlyMap<number, MatrixGradient>,
): readonly LayerGradients[] {
  const latent = latentPosition(passes)
  const all: LayerGradients[] = []
  let current = gradient
  for (let position = passes.length - 1; position >= 0; position--) {
    const pass = passes[position]!
    const eigenLoss = eigenLosses.get(position)
    current = pass.backward(current)
    if (position === latent && eigenLoss !== undefined) current = ops.add(current, eigenLoss.gradient)
    const { linear, vectors } = affineBackward(
      ops,
      pass,
      current,
      position === latent ? undefined : eigenLoss,
    )
    if (position === latent && passes[latent + 1]!.moments !== null)
      vectors[pass.moments === null ? 'bias' : 'beta'] = latentShiftGradient(ops, passes, eigenLosses)
    const weight = ops.matMul(linear, pass.input, { transposeA: true })
    if (position > 0) current = ops.matMul(linear, pass.values.weight!)
    all.unshift({ gradients: { weight, ...vectors }, after: position > 0 ? [current] : [] })
  }
  return all
}

/**
 * Returns the gradients at the linear map's output and at the vectors, from the gradient after batch norm and the eigen
 * losses' gradient before it. The bias gets the eigen losses' sums over the batch from before they are rounded: most eigen
 * losses do not depend on a shift, and Adam would scale the sum's rounding up. For the same reason a bias before batch norm,
 * which cancels it, has no gradient of the squared error.
 */
function affineBackward(
  ops: Ops,
  { moments, values }: LayerPass,
  gradient: Value,
  eigenLoss: MatrixGradient | undefined,
) {
  const plus = (own: Value, other: Value | undefined) => (other === undefined ? own : ops.add(own, other))
  if (moments === null) {
    const vectors: Vectors = { bias: plus(ops.sum(gradient, [1]), eigenLoss?.sums) }
    return { linear: plus(gradient, eigenLoss?.gradient), vectors }
  }
  const { x, gamma, beta } = normaliseBackward(ops, moments, values.gamma!, gradient)
  const vectors: Vectors = { bias: eigenLoss?.sums ?? ops.zerosLike(values.bias!), gamma, beta }
  return { linear: plus(x, eigenLoss?.gradient), vectors }
}

type Vectors = Partial<Record<TensorKind, Value>>

/**
 * The gradient at what shifts the embedding, the bias or batch norm's beta, if the next layer has batch norm. With no
 * activation between, that cancels the shift in the squared error, so only the eigen losses of the two layers contribute.
 */
function latentShiftGradient(
  ops: Ops,
  passes: readonly LayerPass[],
  eigenLosses: ReadonlyMap<number, MatrixGradient>,
): Value {
  const latent = latentPosition(passes)
  const [own, next] = [eigenLosses.get(latent)?.sums, eigenLosses.get(latent + 1)?.sums]
  const throughNext = next && ops.matMul(next, passes[latent + 1]!.values.weight!)
  if (own && throughNext) return ops.add(own, throughNext)
  return own ?? throughNext ?? ops.zerosLike(passes[latent]!.values.bias!)
}
