export type BatchNorm = 'none' | 'encoder' | 'all'
export type Activation = 'relu' | 'linear' | 'sigmoid'

/** Added to a variance before its square root is taken: the default of PyTorch's BatchNorm1d. */
export const batchNormEpsilon = 1e-5

export interface Architecture {
  /** The encoder's widths, the input first and the latent size last; the decoder mirrors them. */
  readonly widths: readonly number[]
  readonly batchNorm: BatchNorm
}

export interface Layer {
  readonly part: 'encoder' | 'decoder'
  /** Position within its part, from 0. */
  readonly index: number
  readonly inputs: number
  readonly outputs: number
  /** Whether there is batch norm between the linear map and the activation. */
  readonly batchNorm: boolean
  readonly activation: Activation
}

/** The dimension of the embedding. */
export function latentDimension(architecture: Architecture): number {
  return architecture.widths.at(-1)!
}

export function inputDimension(architecture: Architecture): number {
  return architecture.widths[0]!
}

/** Returns all layers in the order of the forward pass, with ReLU except at the latent (linear) and the output (sigmoid). */
export function layersOf(architecture: Architecture): readonly Layer[] {
  const { widths } = architecture
  const depth = widths.length - 1
  const sizes = [...widths, ...widths.slice(0, -1).reverse()]
  return Array.from({ length: 2 * depth }, (_, position) => ({
    part: position < depth ? 'encoder' : 'decoder',
    index: position < depth ? position : position - depth,
    inputs: sizes[position]!,
    outputs: sizes[position + 1]!,
    batchNorm: hasBatchNorm(architecture.batchNorm, position, depth),
    activation: position === depth - 1 ? 'linear' : position === 2 * depth - 1 ? 'sigmoid' : 'relu',
  }))
}

function hasBatchNorm(kind: BatchNorm, position: number, depth: number): boolean {
  if (kind === 'all') return position < 2 * depth - 1
  return kind === 'encoder' && position < depth
}

/**
 * Returns the floating-point operations per image of training, counting only the products of the linear layers: forward, the
 * weights' gradient and the inputs' gradient, 2 · inputs · outputs each. The first layer needs no gradient of its inputs.
 * Products with zeros count, although an engine may skip them, so that the speeds of all engines and runs are comparable.
 */
export function flopPerImage(architecture: Architecture): number {
  return layersOf(architecture).reduce((sum, { inputs, outputs }, position) => {
    const products = position === 0 ? 2 : 3
    return sum + products * 2 * inputs * outputs
  }, 0)
}
