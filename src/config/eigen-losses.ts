import { z } from 'zod'
import { FormulaError, type Program } from '../formulas/graph.js'
import { type Formula, isReserved, namesIn, namesOfUncentred } from '../formulas/parse.js'
import { compileFormula, usesSpectrum } from '../formulas/program.js'
import { innerLayerNames, innerWidths, positionOf } from '../model/architecture.js'
import { eigenLossKinds, formulaSchema, type LayerChoice, ownNumbers } from './eigen-loss-kinds.js'
import type { DeepReadonly, JsonPath } from './json.js'

type Schema = (typeof eigenLossKinds)[keyof typeof eigenLossKinds]['schema']
const [first, ...others] = Object.values(eigenLossKinds).map(({ schema }) => schema) as [Schema, ...Schema[]]

/** The config of an eigen loss of any kind. */
export const eigenLossSchema = z.discriminatedUnion('kind', [first, ...others, formulaSchema])
export type EigenLoss = DeepReadonly<z.output<typeof eigenLossSchema>>
type OwnFormula = Extract<EigenLoss, { readonly kind: 'formula' }>

/** Returns the eigen losses of a config with their paths. */
export function eigenLossesWithPaths(eigen: EigenLoss | readonly EigenLoss[] | null) {
  return eigenLossesOf(eigen).map((eigenLoss, index) => {
    const path: JsonPath = Array.isArray(eigen) ? ['loss', 'eigen', index] : ['loss', 'eigen']
    return { eigenLoss, path }
  })
}

/** Returns the eigen losses of a config: none, one, or those of its list. */
export function eigenLossesOf<Loss>(eigen: Loss | readonly Loss[] | null): readonly Loss[] {
  if (eigen === null) return []
  return Array.isArray(eigen) ? (eigen as readonly Loss[]) : [eigen as Loss]
}

/** Returns the formula of an eigen loss with the values of its parameters. */
export function formulaOf(config: EigenLoss): Formula {
  const center = 'center' in config && config.center
  return config.kind === 'formula'
    ? { text: config.formula, parameters: config.parameters, center }
    : { text: eigenLossKinds[config.kind].formula, parameters: ownNumbers(config), center }
}

/** Returns the name of an eigen loss in tables: its kind, or the name that its formula has been given. */
export function nameOf(config: EigenLoss): string {
  return config.kind === 'formula' ? (config.name ?? config.kind) : config.kind
}

/** Returns the paths, from the eigen loss, of the fields that decide its formula. */
export function fieldsOfFormula(config: EigenLoss): readonly JsonPath[] {
  const parameters = Object.keys(formulaOf(config).parameters)
  return config.kind === 'formula'
    ? [['kind'], ['formula'], ...parameters.map((name) => ['parameters', name])]
    : [['kind'], ...parameters.map((name) => [name])]
}

interface NamedLayer {
  readonly name: string
  readonly width: number
}

interface FormulaMistake {
  readonly path: JsonPath
  readonly problem: string
  /** Whether the eigen loss may be right on a layer of another width: false unless given. */
  readonly dependsOnWidth?: boolean
}

/** Returns the mistakes of an eigen loss on the given layers, each at a path from the eigen loss. */
export function formulaMistakes(config: EigenLoss, layers: readonly NamedLayer[]): readonly FormulaMistake[] {
  const ofFields = config.kind === 'formula' ? mistakesOfFields(config) : []
  const found = layers.flatMap((layer) => mistakeOn(config, layer))
  return [...ofFields, ...found.slice(0, 1)]
}

function mistakeOn(config: EigenLoss, { name, width }: NamedLayer): readonly FormulaMistake[] {
  try {
    compileFormula(formulaOf(config), width)
    return []
  } catch (error) {
    if (!(error instanceof FormulaError)) throw error
    const { dependsOnWidth } = error
    if (config.kind === 'formula') {
      const where = dependsOnWidth ? `, on ${name}` : ''
      return [{ path: ['formula'], problem: `${error.message}${where}`, dependsOnWidth }]
    }
    const key = Object.keys(ownNumbers(config))[0] ?? 'kind'
    const bound = `${width}, ${name === 'latent' ? "the latent's width" : `the width of ${name}`}`
    const value: unknown = Reflect.get(config, key)
    return [{ path: [key], problem: `must be under ${bound} (got ${JSON.stringify(value)})`, dependsOnWidth }]
  }
}

function mistakesOfFields({ formula, parameters, center }: OwnFormula): readonly FormulaMistake[] {
  const names = namesIn(formula)
  const ofParameters = Object.keys(parameters).flatMap((name): readonly FormulaMistake[] => {
    const path = ['parameters', name]
    if (isReserved(name))
      return [{ path, problem: 'is reserved for formulas; give the parameter another name' }]
    return names.has(name) ? [] : [{ path, problem: 'is not in the formula' }]
  })
  const canBeCentred = namesOfUncentred.some((name) => names.has(name))
  if (!center || canBeCentred || names.size === 0) return ofParameters
  const problem = `must be false: the formula has none of ${namesOfUncentred.join(', ')} (got true)`
  return [...ofParameters, { path: ['center'], problem }]
}

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
