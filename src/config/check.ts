import { closest } from 'fastest-levenshtein'
import type { z } from 'zod'
import { hasBatchNorm, innerLayerNames, positionOf } from '../model/architecture.js'
import { eigenLossKinds } from './eigen-loss-kinds.js'
import {
  type EigenLoss,
  eigenLossesWithPaths,
  fieldsOfFormula,
  formulaMistakes,
  type LayerWithBatch,
  layersOfLoss,
  nameOf,
  smallestBatches,
  withoutEffect,
} from './eigen-losses.js'
import { type JsonPath, valueAt, withValue } from './json.js'
import { describeIssue, type Mistake, unionOptions, withinBranch } from './mistakes.js'
import { overlaps } from './paths.js'
import type { ScheduledConfig } from './schedule.js'
import { type Config, configSchema } from './schema.js'

type Checked =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'mistakes'; readonly mistakes: readonly Mistake[] }

/**
 * "recorded" for the config of a run, "written" for one that a user wrote, in which an eigen loss without effect is a
 * mistake, "swept" for one of a sweep of widths, in which such a loss is not a mistake.
 */
export type ConfigOrigin = 'recorded' | 'written' | 'swept'

/** Returns a config with its defaults, or every mistake in it, including those that involve several fields. */
export function checkConfig(input: unknown, origin: ConfigOrigin = 'recorded'): Checked {
  const parsed = configSchema.safeParse(input)
  const ofUser = origin === 'recorded' ? [] : [nameRule]
  const rules = [...commonRules, ...ofUser, ...(origin === 'written' ? [effectRule] : [])]
  const mistakes = parsed.success
    ? brokenRules(parsed.data, [], rules)
    : allMistakes(input, parsed.error.issues, rules)
  if (!parsed.success || mistakes.length > 0) return { kind: 'mistakes', mistakes }
  const { $schema: _editorsOnly, ...config } = parsed.data
  return { kind: 'config', config }
}

type Issues = readonly z.core.$ZodIssue[]

/**
 * Zod stops at an object whose `kind` is wrong. Its other fields are checked as if the kind were the nearest valid one,
 * so that all mistakes are reported at once.
 */
function allMistakes(input: unknown, all: Issues, rules: readonly Rule[]): readonly Mistake[] {
  const issues = all.flatMap((issue) => withinBranch(issue, input)).sort(byField)
  const ofKind = issues.find(
    (issue): issue is z.core.$ZodIssueInvalidUnion =>
      issue.code === 'invalid_union' && unionOptions(issue).length > 0,
  )
  if (ofKind === undefined) return [...describeAll(input, issues), ...mistakesBeside(input, issues, rules)]
  const path = ofKind.path as JsonPath
  // mistakes.ts suggests names for unknown fields.
  const nearest = closest(String(valueAt(input, path)), unionOptions(ofKind).map(String))
  const corrected = withValue(input, path.map(String), nearest)
  const { error } = configSchema.safeParse(corrected)
  return [...describeAll(input, [ofKind]), ...allMistakes(corrected, error?.issues ?? [], rules)]
}

const fieldNames = Object.keys(configSchema.shape)

/** Compares issues by their fields, because zod reports those of the whole config last. Unknown fields come last. */
function byField(a: z.core.$ZodIssue, b: z.core.$ZodIssue): number {
  const [first, second] = [a, b].map(({ path }) => fieldNames.indexOf(String(path[0])) >>> 0)
  return first! - second!
}

function describeAll(input: unknown, issues: Issues): readonly Mistake[] {
  return issues.flatMap((issue) => describeIssue(issue, input, configSchema))
}

/** Returns the broken rules among those whose fields are all valid. */
function mistakesBeside(input: unknown, issues: Issues, rules: readonly Rule[]): readonly Mistake[] {
  const wrong = issues.filter(({ code }) => code !== 'unrecognized_keys').map(({ path }) => path as JsonPath)
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key] as JsonPath) : [],
  )
  const left = [...wrong, ...unknown].reduce(withoutField, input)
  const parsed = configSchema.safeParse({ name: 'any', ...(left as object) })
  return parsed.success ? brokenRules(parsed.data, wrong, rules) : []
}

function brokenRules(config: Config, wrong: readonly JsonPath[], rules: readonly Rule[]): readonly Mistake[] {
  const isWrong = (field: string) =>
    overlaps(
      field,
      wrong.map((path) => path.join('.')),
    )
  return rules.filter(({ fields }) => !fields.some(isWrong)).flatMap(({ mistakes }) => mistakes(config))
}

/** Returns a copy without the field; for an element of a list, without the whole list. */
function withoutField(input: unknown, path: JsonPath): unknown {
  const [key, ...rest] = path
  if (typeof input !== 'object' || input === null || key === undefined) return {}
  const { [String(key)]: field, ...others } = input as Readonly<Record<string, unknown>>
  const isLeaf = rest.length === 0 || Array.isArray(field) || typeof field !== 'object' || field === null
  return isLeaf ? others : { ...others, [key]: withoutField(field, rest) }
}

/** A constraint between fields, which zod's schema of each field cannot express. */
interface Rule {
  /** The config paths that the rule reads. */
  readonly fields: readonly string[]
  readonly mistakes: (config: Config) => readonly Mistake[]
}

const commonRules: readonly Rule[] = [
  { fields: ['model.widths', 'model.batchNorm'], mistakes: batchNormLayers },
  { fields: ['model.widths', 'loss.eigen'], mistakes: eigenLossLayers },
  { fields: ['train.batchSize', 'model.widths', 'loss.eigen'], mistakes: batchLargeEnough },
  { fields: ['train.batchSize', 'model.batchNorm', 'model.widths'], mistakes: batchNormNeedsTwo },
  { fields: ['model.widths', 'loss.eigen'], mistakes: eigenLossFits },
  { fields: ['optimizer'], mistakes: nesterovNeedsMomentum },
]

const effectRule: Rule = {
  fields: ['model.widths', 'loss.eigen'],
  mistakes: ({ model, loss }) =>
    eigenLossesWithPaths(loss.eigen).flatMap(({ eigenLoss, path }) => {
      const found = withoutEffect(eigenLoss, model.widths)
      if (!found?.isWhole) return []
      return [{ path, problem: found.problem, causes: causesOnLayers(eigenLoss, path) }]
    }),
}

/** The tables have the name in place of the kind. A recorded config may have the name of a kind that was added later. */
const nameRule: Rule = {
  fields: ['loss.eigen'],
  mistakes: ({ loss }) =>
    eigenLossesWithPaths(loss.eigen).flatMap(({ eigenLoss, path }) => {
      const name = nameOf(eigenLoss)
      if (eigenLoss.kind === name || !Object.hasOwn(eigenLossKinds, name)) return []
      return [{ path: [...path, 'name'], problem: `must not be the name of a built-in kind (got "${name}")` }]
    }),
}

const batchSize = ['train', 'batchSize']
const modelWidths = ['model', 'widths']

/** Returns the fields that decide an eigen loss's formula and the widths of its layers. */
function causesOnLayers(eigenLoss: EigenLoss, path: JsonPath): readonly JsonPath[] {
  return [modelWidths, ...[['layers'], ...fieldsOfFormula(eigenLoss)].map((field) => [...path, ...field])]
}

function batchNormLayers({ model }: Config): readonly Mistake[] {
  const { batchNorm, widths } = model
  return typeof batchNorm === 'string' ? [] : layerMistakes(batchNorm, widths, ['model', 'batchNorm'])
}

function eigenLossLayers(config: Config): readonly Mistake[] {
  return eigenLossesWithPaths(config.loss.eigen).flatMap(({ eigenLoss: { layers }, path }) => {
    const { widths } = config.model
    if (layers === 'hidden' && innerLayerNames(widths.length).length === 1)
      return [{ path: [...path, 'layers'], problem: 'must not be "hidden": the network has no hidden layer' }]
    return typeof layers === 'string' ? [] : layerMistakes(layers, widths, [...path, 'layers'])
  })
}

/** Returns the unknown and the repeated names of a list of layers. */
function layerMistakes(
  names: readonly string[],
  widths: readonly number[],
  path: JsonPath,
): readonly Mistake[] {
  const known = innerLayerNames(widths.length)
  const positions = names.map((name) => positionOf(name, widths.length))
  return names.flatMap((name, index) => {
    const given = `(got ${JSON.stringify(name)})`
    const position = positions[index]!
    if (position === null)
      return [
        { path: [...path, index], problem: `must be a layer of this network: ${known.join(', ')} ${given}` },
      ]
    if (positions.indexOf(position) === index) return []
    return [{ path: [...path, index], problem: `must not name the layer ${known[position]} again ${given}` }]
  })
}

function batchLargeEnough(config: Config): readonly Mistake[] {
  const { train, model } = config
  const tooSmall = eigenLossesWithPaths(config.loss.eigen).flatMap(({ eigenLoss, path }) => {
    const layers = smallestBatches(eigenLoss, model.widths)
    const worst = layers.toSorted((a, b) => b.minimumImages - a.minimumImages)[0]
    if (worst === undefined || train.batchSize >= worst.minimumImages) return []
    return [{ path: batchSize, problem: smallBatchProblem(worst, train.batchSize, path) }]
  })
  return tooSmall.slice(0, 1)
}

function smallBatchProblem(
  { name, width, minimumImages }: LayerWithBatch,
  given: number,
  path: JsonPath,
): string {
  const got = `(got ${given})`
  if (minimumImages < width) return `must be at least ${minimumImages} for ${path.join('.')} ${got}`
  if (name === 'latent' && minimumImages > width)
    return `must be over ${width}, the latent size, with an eigen loss: the rank of a batch's embedding is at most its number of images ${got}`
  const bound = minimumImages > width ? `over ${width}` : `at least ${width}`
  return `must be ${bound}, the width of ${name}, with ${path.join('.')} on that layer: the rank of its matrix is at most the number of images ${got}`
}

function batchNormNeedsTwo(config: Config): readonly Mistake[] {
  const { train, model } = config
  // With an eigen loss on the latent layer, batchLargeEnough already rejects a batch of one.
  const namesAreKnown = batchNormLayers(config).length === 0
  if (!namesAreKnown || !hasBatchNorm(model) || train.batchSize >= 2 || batchLargeEnough(config).length > 0)
    return []
  return [{ path: batchSize, problem: `must be at least 2 with batch norm (got ${train.batchSize})` }]
}

function eigenLossFits({ model, loss }: Config): readonly Mistake[] {
  return eigenLossesWithPaths(loss.eigen).flatMap(({ eigenLoss, path }) => {
    const layers = layersOfLoss(eigenLoss, model.widths)
    return formulaMistakes(eigenLoss, layers).map((mistake) => ({
      ...mistake,
      path: [...path, ...mistake.path],
      causes: mistake.dependsOnWidth ? causesOnLayers(eigenLoss, path) : [],
    }))
  })
}

function nesterovNeedsMomentum({ optimizer }: Config): readonly Mistake[] {
  if (optimizer.kind !== 'sgd' || !optimizer.nesterov || optimizer.momentum > 0) return []
  const problem = 'must be false without momentum: optimizer.momentum is 0 (got true)'
  return [{ path: ['optimizer', 'nesterov'], problem }]
}

/** Returns what may not be intended in a valid config, one warning per line. */
export function configWarnings({ loss, optimizer, train }: Config): readonly string[] {
  const weights = eigenLossesWithPaths(loss.eigen).map(({ eigenLoss: { weight }, path }) => ({
    path: `${path.join('.')}.weight`,
    value: weight,
  }))
  const rate = { path: 'optimizer.learningRate', value: optimizer.learningRate }
  const lengths = [rate, ...weights].flatMap(({ path, value }) =>
    typeof value === 'number' || value.epochs <= train.epochs
      ? []
      : [`${path}: the schedule is ${value.epochs} epochs long, the training only ${train.epochs}`],
  )
  const negative = weights.filter(({ value }) => lowest(value) < 0)
  return [
    ...lengths,
    ...restWarnings(rate.value, train.epochs),
    ...negative.map(({ path }) => `${path}: is negative, so training raises the loss instead of lowering it`),
  ]
}

/** Warns of a learning rate that reaches 0 before the training ends. */
function restWarnings(rate: ScheduledConfig, epochs: number): readonly string[] {
  if (typeof rate === 'number' || rate.to > 0 || rate.epochs >= epochs) return []
  return [
    `optimizer.learningRate: is 0 after ${rate.epochs} of ${epochs} epochs; the remaining epochs train nothing`,
  ]
}

function lowest(value: ScheduledConfig): number {
  return typeof value === 'number' ? value : Math.min(value.from, value.to)
}

/** Returns a warning for each eigen loss that is constant on some of its layers. */
export function effectWarnings({ loss, model }: Config): readonly string[] {
  return eigenLossesWithPaths(loss.eigen).flatMap(({ eigenLoss, path }) => {
    const found = withoutEffect(eigenLoss, model.widths)
    return found === null ? [] : [`${path.join('.')}: ${found.problem}`]
  })
}
