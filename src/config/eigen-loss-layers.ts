import { FormulaError, type Program } from '../formulas/graph.js'
import { compileFormula, usesSpectrum } from '../formulas/program.js'
import { innerLayerNames, innerWidths, positionOf } from '../model/architecture.js'
import type { LayerChoice } from './eigen-loss-kinds.js'
import { type EigenLoss, formulaOf, nameOf } from './eigen-losses.js'

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

/** Returns the layers that an eigen loss acts on, none if it names an unknown one. */
export function layersOfLoss({ layers }: EigenLoss, widths: readonly number[]) {
  const names = innerLayerNames(widths.length)
  const sizes = innerWidths(widths)
  const isKnown =
    typeof layers === 'string' || layers.every((name) => positionOf(name, widths.length) !== null)
  const positions = isKnown ? layerPositions(layers, widths.length) : []
  return positions.map((position) => ({ name: names[position]!, width: sizes[position]! }))
}

/** An eigen loss that is constant on layers of a network. */
interface WithoutEffect {
  /** Follows the loss's path in a message. */
  readonly problem: string
  /** Whether it is constant on all of its layers. */
  readonly isWhole: boolean
}

/** Returns null if an eigen loss is constant on none of its layers. */
export function withoutEffect(eigenLoss: EigenLoss, widths: readonly number[]): WithoutEffect | null {
  const formula = formulaOf(eigenLoss)
  const layers = layersOfLoss(eigenLoss, widths)
  const constant = layers.filter(({ width }) => programOn(eigenLoss, width)?.isConstant)
  if (constant.length === 0) return null
  const where = constant.map(({ name, width }) => `${name} (width ${width})`).join(', ')
  const parameters = Object.entries(formula.parameters).map((entry) => ` with ${entry.join(' = ')}`)
  const problem = `has no effect on ${where}, where ${nameOf(eigenLoss)}${parameters.join('')} is constant`
  return { problem, isWhole: constant.length === layers.length }
}

/** Returns null if the eigen loss has no formula on a layer of this width: `formulaMistakes` has the reason. */
function programOn(eigenLoss: EigenLoss, width: number): Program | null {
  try {
    return compileFormula(formulaOf(eigenLoss), width)
  } catch (error) {
    if (error instanceof FormulaError) return null
    throw error
  }
}

export interface LayerWithBatch {
  readonly name: string
  readonly width: number
  /** The smallest number of images in a batch for which an eigen loss is defined on this layer. */
  readonly minimumImages: number
}

export function smallestBatches(eigenLoss: EigenLoss, widths: readonly number[]): readonly LayerWithBatch[] {
  return layersOfLoss(eigenLoss, widths).map((layer) => {
    const program = programOn(eigenLoss, layer.width)
    const leastOfOther = usesSpectrum(formulaOf(eigenLoss).text) ? layer.width + 1 : 1
    return { ...layer, minimumImages: program?.minimumImages ?? leastOfOther }
  })
}

/** Returns the smallest number of images in a batch for which an eigen loss is defined on all its layers. */
export function minimumImages(eigenLoss: EigenLoss, widths: readonly number[]): number {
  return Math.max(...smallestBatches(eigenLoss, widths).map((layer) => layer.minimumImages))
}
