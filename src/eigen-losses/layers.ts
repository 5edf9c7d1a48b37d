import * as formulas from '../formulas/program.js'
import { innerLayerNames, innerWidths, positionOf } from '../model/architecture.js'
import { type EigenLoss, formulaOf } from './index.js'
import type { LayerChoice } from './kinds.js'

/**
 * Returns the positions in the forward pass of the layers that an eigen loss acts on, ascending. The names must be known.
 * @param widthCount the length of the encoder's `widths`
 */
export function layerPositions(choice: LayerChoice, widthCount: number): readonly number[] {
  const all = innerLayerNames(widthCount)
  const named = {
    latent: (name: string) => name === 'latent',
    hidden: (name: string) => name !== 'latent',
    all: () => true,
  }
  const names = typeof choice === 'string' ? all.filter(named[choice]) : choice
  return names.map((name) => positionOf(name, widthCount)!).sort((a, b) => a - b)
}

/** Returns the smallest number of images in a batch for which an eigen loss is defined on all its layers. */
export function minimumImages(config: EigenLoss, widths: readonly number[]): number {
  const sizes = innerWidths(widths)
  const { text } = formulaOf(config)
  const positions = layerPositions(config.layers, widths.length)
  return Math.max(...positions.map((layer) => formulas.minimumImages(text, sizes[layer]!)))
}
