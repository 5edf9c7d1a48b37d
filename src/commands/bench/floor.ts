import { type Architecture, layersOf } from '../../model/architecture.js'

/**
 * Floating-point operations that one image costs in training, in the products of the linear layers alone: forward, the
 * weights' gradient and the input's gradient, 2 · inputs · outputs each; nobody needs the gradient of the images. An engine
 * may leave out products with zeros; they count all the same, so that figures of all engines and runs are of one job.
 */
export function flopPerImage(architecture: Architecture): number {
  return layersOf(architecture).reduce((sum, { inputs, outputs }, position) => {
    const products = position === 0 ? 2 : 3
    return sum + products * 2 * inputs * outputs
  }, 0)
}
