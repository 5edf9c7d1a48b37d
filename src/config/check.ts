import { closest } from 'fastest-levenshtein'
import type { z } from 'zod'
import { eigenLossMistake } from '../eigen-losses/index.js'
import { latentDimension } from '../model/architecture.js'
import { type JsonPath, valueAt, withValue } from './json.js'
import { describeIssue, type Mistake, unionOptions } from './mistakes.js'
import { type Config, configSchema } from './schema.js'

export type Checked =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'mistakes'; readonly mistakes: readonly Mistake[] }

/** Returns a config with its defaults, or every mistake in it, including those that involve several fields. */
export function checkConfig(input: unknown): Checked {
  const parsed = configSchema.safeParse(input)
  const mistakes = parsed.success ? brokenRules(parsed.data, []) : allMistakes(input, parsed.error.issues)
  if (!parsed.success || mistakes.length > 0) return { kind: 'mistakes', mistakes }
  const { $schema: _editorsOnly, ...config } = parsed.data
  return { kind: 'config', config }
}

type Issues = readonly z.core.$ZodIssue[]

/**
 * Zod stops at an object whose `kind` is wrong. Its other fields are checked as if the kind were the nearest valid one,
 * so that all mistakes are reported at once.
 */
function allMistakes(input: unknown, issues: Issues): readonly Mistake[] {
  const ofKind = issues.find((issue) => issue.code === 'invalid_union')
  if (ofKind === undefined) return [...describeAll(input, issues), ...mistakesBeside(input, issues)]
  const path = ofKind.path as JsonPath
  const nearest = closest(String(valueAt(input, path)), unionOptions(ofKind).map(String))
  const corrected = withValue(input, path.map(String), nearest)
  const { error } = configSchema.safeParse(corrected)
  return [...describeAll(input, [ofKind]), ...allMistakes(corrected, error?.issues ?? [])]
}

function describeAll(input: unknown, issues: Issues): readonly Mistake[] {
  return issues.flatMap((issue) => describeIssue(issue, input, configSchema))
}

/** Returns the broken rules among those whose fields are all valid. */
function mistakesBeside(input: unknown, issues: Issues): readonly Mistake[] {
  const wrong = issues.filter(({ code }) => code !== 'unrecognized_keys').map(({ path }) => path as JsonPath)
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key] as JsonPath) : [],
  )
  const left = [...wrong, ...unknown].reduce(withoutField, input)
  const parsed = configSchema.safeParse({ name: 'any', ...(left as object) })
  return parsed.success ? brokenRules(parsed.data, wrong) : []
}

function brokenRules(config: Config, wrong: readonly JsonPath[]): readonly Mistake[] {
  const isWrong = (field: string) =>
    wrong.some((path) => isWithin(path.join('.'), field) || isWithin(field, path.join('.')))
  return rules.filter(({ fields }) => !fields.some(isWrong)).flatMap(({ mistake }) => mistake(config) ?? [])
}

/** Returns whether a path equals another or lies below it. */
function isWithin(path: string, other: string): boolean {
  return `${path}.`.startsWith(`${other}.`)
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
  readonly mistake: (config: Config) => Mistake | null
}

const rules: readonly Rule[] = [
  { fields: ['train.batchSize', 'model.widths', 'loss.eigen'], mistake: batchAboveLatent },
  { fields: ['train.batchSize', 'model.batchNorm'], mistake: batchNormNeedsTwo },
  { fields: ['model.widths', 'loss.eigen'], mistake: eigenLossFitsLatent },
]

const batchSize = ['train', 'batchSize']

function batchAboveLatent({ train, model, loss }: Config): Mistake | null {
  const latent = latentDimension(model)
  if (loss.eigen === null || train.batchSize > latent) return null
  const reason = "the rank of a batch's embedding is at most its number of images"
  const problem = `must be over ${latent}, the latent size, with an eigen loss: ${reason}`
  return { path: batchSize, problem: `${problem} (got ${train.batchSize})` }
}

function batchNormNeedsTwo({ train, model, loss }: Config): Mistake | null {
  // With an eigen loss, batchAboveLatent already rejects a batch of one.
  if (model.batchNorm === 'none' || train.batchSize >= 2 || loss.eigen !== null) return null
  return { path: batchSize, problem: `must be at least 2 with batch norm (got ${train.batchSize})` }
}

function eigenLossFitsLatent({ loss: { eigen }, model }: Config): Mistake | null {
  const mistake = eigen && eigenLossMistake(eigen, latentDimension(model))
  if (mistake === null) return null
  const value: unknown = Reflect.get(eigen!, mistake.key)
  return {
    path: ['loss', 'eigen', mistake.key],
    problem: `${mistake.problem} (got ${JSON.stringify(value)})`,
  }
}
