import { batchNormEpsilon, type Layer } from '../../model/architecture.js'
import type { TensorKind } from '../../model/layout.js'
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

/**
 * Inference through the given layers: batch norm by its running statistics. Returns each layer's linear output and its
 * output, [images][outputs] each of one replica.
 */
export function inference(
  ops: Ops,
  layers: readonly Layer[],
  values: readonly LayerValues[],
  input: Value,
): readonly Pick<LayerPass, 'linear' | 'output'>[] {
  const passes: Pick<LayerPass, 'linear' | 'output'>[] = []
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

/** A layer's activation in the forward pass. */
interface ActivationPass {
  readonly output: Value
  /** Returns the gradient at the input from the gradient at the output. */
  readonly backward: (gradient: Value) => Value
}

function activate(ops: Ops, { activation, slope }: Layer, x: Value): ActivationPass {
  switch (activation) {
    case 'linear':
      return { output: x, backward: (gradient) => gradient }
    case 'relu': {
      const output = ops.relu(x)
      return { output, backward: (gradient) => ops.reluGradient(gradient, output) }
    }
    case 'leaky-relu': {
      const output = ops.leakyRelu(x, slope!)
      return { output, backward: (gradient) => ops.leakyReluGradient(gradient, output, slope!) }
    }
    case 'silu':
      return silu(ops, x)
    case 'sigmoid': {
      const output = ops.sigmoid(x)
      return { output, backward: (gradient) => ops.sigmoidGradient(output, gradient) }
    }
  }
}

/** y = x·s with s = sigmoid(x), so ∂y/∂x = s + y·(1 − s). */
function silu(ops: Ops, x: Value): ActivationPass {
  const share = ops.sigmoid(x)
  const output = ops.multiply(x, share)
  const slope = () => ops.add(share, ops.multiply(output, ops.subtract(ops.float(1), share)))
  return { output, backward: (gradient) => ops.multiply(gradient, slope()) }
}

/** PyTorch's default: the batch's share of the new running statistics. */
const momentum = 0.1

/** The moments of a batch [replicas][batch][outputs], each [replicas][1][outputs]. */
interface BatchMoments {
  /** Mean of the linear map without its bias: batch norm cancels the bias, so it is not added. */
  readonly mean: Value
  readonly variance: Value
  /** 1 / deviation */
  readonly inverse: Value
  /** (x − mean) / deviation, [replicas][batch][outputs] */
  readonly normalised: Value
}

/** Returns gamma · (x − mean) / sqrt(variance + ε) + beta with the batch's own mean and biased variance. */
function normaliseBatch(ops: Ops, x: Value, { gamma, beta }: LayerValues) {
  const mean = ops.mean(x, [1])
  const shifted = ops.subtract(x, mean)
  const variance = ops.mean(ops.square(shifted), [1])
  const inverse = ops.inverseSquareRoot(ops.add(variance, ops.float(batchNormEpsilon)))
  const normalised = ops.multiply(shifted, inverse)
  const output = ops.add(ops.multiply(normalised, gamma!), beta!)
  return { output, moments: { mean, variance, inverse, normalised } satisfies BatchMoments }
}

/** Returns the same with the running statistics in place of the batch's moments. */
function normaliseByStatistics(ops: Ops, x: Value, values: LayerValues): Value {
  const { gamma, beta, running_mean, running_var } = values
  const inverse = ops.inverseSquareRoot(ops.add(running_var!, ops.float(batchNormEpsilon)))
  return ops.add(ops.multiply(ops.subtract(x, running_mean!), ops.multiply(gamma!, inverse)), beta!)
}

/** Returns the gradients at x, gamma and beta from the gradient at the batch norm's output. */
function normaliseBackward(ops: Ops, { inverse, normalised }: BatchMoments, gamma: Value, gradient: Value) {
  const product = ops.multiply(gradient, normalised)
  const shift = ops.mean(gradient, [1])
  const slope = ops.multiply(normalised, ops.mean(product, [1]))
  const rest = ops.subtract(ops.subtract(gradient, shift), slope)
  return {
    x: ops.multiply(rest, ops.multiply(gamma, inverse)),
    gamma: ops.sum(product, [1]),
    beta: ops.sum(gradient, [1]),
  }
}

/** Returns the running statistics after a batch of `count` images: the mean includes the bias, the variance is unbiased. */
export function updateStatistics(ops: Ops, moments: BatchMoments, values: LayerValues, count: Value) {
  const rate = ops.float(momentum)
  const move = (running: Value, towards: Value) =>
    ops.add(running, ops.multiply(rate, ops.subtract(towards, running)))
  // A batch of one image has no unbiased variance and changes nothing.
  const several = ops.greater(count, ops.float(1))
  const others = ops.select(several, ops.subtract(count, ops.float(1)), ops.float(1))
  const unbiased = ops.multiply(moments.variance, ops.divide(count, others))
  const mean = ops.add(moments.mean, values.bias!)
  return {
    running_mean: ops.select(several, move(values.running_mean!, mean), values.running_mean!),
    running_var: ops.select(several, move(values.running_var!, unbiased), values.running_var!),
  }
}
