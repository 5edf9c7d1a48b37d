import { z } from 'zod'
import { FormulaError } from '../formulas/graph.js'
import { type Formula, isReserved, namesIn, namesOfUncentred } from '../formulas/parse.js'
import { compileFormula } from '../formulas/program.js'
import type { DeepReadonly } from '../types/deep-readonly.js'
import { eigenLossKinds, formulaSchema, ownNumbers } from './eigen-loss-kinds.js'
import type { JsonPath } from './json.js'

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

interface Layer {
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
export function formulaMistakes(config: EigenLoss, layers: readonly Layer[]): readonly FormulaMistake[] {
  const ofFields = config.kind === 'formula' ? mistakesOfFields(config) : []
  const found = layers.flatMap((layer) => mistakeOn(config, layer))
  return [...ofFields, ...found.slice(0, 1)]
}

function mistakeOn(config: EigenLoss, { name, width }: Layer): readonly FormulaMistake[] {
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
    if (isReserved(name)) return [{ path, problem: 'is a name of the language; give the parameter another' }]
    return names.has(name) ? [] : [{ path, problem: 'is not in the formula' }]
  })
  const canBeCentred = namesOfUncentred.some((name) => names.has(name))
  if (!center || canBeCentred || names.size === 0) return ofParameters
  const problem = `must be false: the formula has none of ${namesOfUncentred.join(', ')} (got true)`
  return [...ofParameters, { path: ['center'], problem }]
}
