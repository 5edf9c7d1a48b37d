import type { Layer } from '../../model/architecture.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'

/** A layer's activation in the forward pass. */
export interface ActivationPass {
  readonly output: Value
  /** Returns the gradient at the input from the gradient at the output. */
  readonly backward: (gradient: Value) => Value
}

export function activate(ops: Ops, { activation, slope }: Layer, x: Value): ActivationPass {
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
