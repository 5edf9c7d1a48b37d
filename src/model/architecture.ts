/** Layers with batch norm: none, the encoder's with the latent layer, all but the output, or those with these names. */
type BatchNorm = 'none' | 'encoder' | 'all' | readonly string[]

/** The activation of the hidden layers. Leaky ReLU multiplies negative values with its slope. */
type HiddenActivation =
  | 'relu'
  | 'leaky-relu'
  | 'silu'
  | { readonly kind: 'leaky-relu'; readonly slope: number }

export type Activation = 'relu' | 'leaky-relu' | 'silu' | 'linear' | 'sigmoid'

/** The slope of PyTorch's LeakyReLU by default. */
export const defaultSlope = 0.01

/** Added to a variance before its square root is taken: the default of PyTorch's BatchNorm1d. */
export const batchNormEpsilon = 1e-5

/** The columns and rows of an image, in pixels. */
export interface ImageShape {
  readonly width: number
  readonly height: number
}

/** The shape of MNIST's images, and of those of runs whose run.json names none. */
export const mnistShape: ImageShape = { width: 28, height: 28 }

/** Returns "28 × 28". */
export function shapeText({ width, height }: ImageShape): string {
  return `${width} × ${height}`
}

/** The most units of a layer, and pixels of an image. */
export const maximumWidth = 65536

export interface Architecture {
  /** The encoder's widths, the input first and the latent size last; the decoder mirrors them. */
  readonly widths: readonly number[]
  readonly batchNorm: BatchNorm
  readonly activation: HiddenActivation
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
  /** Factor of negative values; leaky ReLU only. */
  readonly slope?: number
}

/** The dimension of the embedding. */
export function latentDimension(architecture: Architecture): number {
  return architecture.widths.at(-1)!
}

export function inputDimension(architecture: Architecture): number {
  return architecture.widths[0]!
}

/** Returns all layers in the order of the forward pass. The latent layer is linear, the output a sigmoid. */
export function layersOf(architecture: Architecture): readonly Layer[] {
  const { widths } = architecture
  const normalised = new Set(batchNormPositions(architecture))
  const depth = widths.length - 1
  const sizes = [...widths, ...widths.slice(0, -1).reverse()]
  return Array.from({ length: 2 * depth }, (_, position) => ({
    part: position < depth ? 'encoder' : 'decoder',
    index: position < depth ? position : position - depth,
    inputs: sizes[position]!,
    outputs: sizes[position + 1]!,
    batchNorm: normalised.has(position),
    ...(position === depth - 1
      ? { activation: 'linear' }
      : position === 2 * depth - 1
        ? { activation: 'sigmoid' }
        : hiddenActivation(architecture.activation)),
  }))
}

function hiddenActivation(activation: HiddenActivation): Pick<Layer, 'activation' | 'slope'> {
  if (activation === 'relu' || activation === 'silu') return { activation }
  const slope = activation === 'leaky-relu' ? defaultSlope : activation.slope
  return { activation: 'leaky-relu', slope }
}

export function hasBatchNorm(architecture: Architecture): boolean {
  return batchNormPositions(architecture).length > 0
}

function batchNormPositions({ widths, batchNorm }: Architecture): readonly number[] {
  const positions = [...Array(2 * widths.length - 3).keys()]
  if (batchNorm === 'all') return positions
  if (batchNorm === 'encoder') return positions.slice(0, widths.length - 1)
  if (batchNorm === 'none') return []
  return batchNorm.map((name) => positionOf(name, widths.length)!)
}

/**
 * Returns the names of all layers but the output, in the order of the forward pass: "encoder.0", …, "latent", "decoder.0", …
 * @param widthCount the length of `widths`
 */
export function innerLayerNames(widthCount: number): readonly string[] {
  const hidden = [...Array(widthCount - 2).keys()]
  return [...hidden.map((i) => `encoder.${i}`), 'latent', ...hidden.map((i) => `decoder.${i}`)]
}

/** Returns the outputs of all layers but the last, in the order of the forward pass. */
export function innerWidths(widths: readonly number[]): readonly number[] {
  return [...widths.slice(1), ...widths.slice(1, -1).reverse()]
}

/** Returns the position of a layer in the forward pass, null if none but the output has the name. */
export function positionOf(name: string, widthCount: number): number | null {
  const position = innerLayerNames(widthCount).indexOf(name === `encoder.${widthCount - 2}` ? 'latent' : name)
  return position < 0 ? null : position
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
