import type { Layer } from '../../model/architecture.js'
import { type BatchMoments, normaliseBatch, normaliseByStatistics } from './batch-norm.js'
import type { Value } from './builder.js'
import type { Ops } from './ops.js'
import type { LayerValues } from './variables.js'

/** What a layer leaves for the way back. All [replicas][batch][outputs]. */
export interface Pass {
  readonly layer: Layer
  readonly values: LayerValues
  /** [replicas][batch][inputs] */
  readonly input: Value
  readonly moments: BatchMoments | null
  readonly output: Value
}

/** Training's way through the network: batch norm by the batch's own moments. */
export function forward(ops: Ops, layers: readonly Layer[], values: readonly LayerValues[], input: Value) {
  const passes: Pass[] = []
  for (const [position, layer] of layers.entries()) {
    const pass = layerForward(ops, layer, values[position]!, passes.at(-1)?.output ?? input)
    passes.push(pass)
  }
  return passes
}

function layerForward(ops: Ops, layer: Layer, values: LayerValues, input: Value): Pass {
  const product = ops.matMul(input, values.weight!, { transposeB: true })
  if (!layer.batchNorm) {
    const output = activate(ops, layer, ops.add(product, values.bias!))
    return { layer, values, input, moments: null, output }
  }
  const { output, moments } = normaliseBatch(ops, product, values)
  return { layer, values, input, moments, output: activate(ops, layer, output) }
}

/** The first `count` layers with batch norm by its running statistics. */
export function inference(
  ops: Ops,
  layers: readonly Layer[],
  values: readonly LayerValues[],
  input: Value,
): Value {
  return layers.reduce((x, layer, position) => {
    const product = ops.matMul(x, values[position]!.weight!, { transposeB: true })
    const linear = ops.add(product, values[position]!.bias!)
    return activate(
      ops,
      layer,
      layer.batchNorm ? normaliseByStatistics(ops, linear, values[position]!) : linear,
    )
  }, input)
}

function activate(ops: Ops, { activation }: Layer, x: Value): Value {
  if (activation === 'linear') return x
  return activation === 'relu' ? ops.relu(x) : ops.sigmoid(x)
}
