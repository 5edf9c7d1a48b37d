import { valueAt } from '../config/json.js'
import { configPaths, isConfigPath } from '../config/paths.js'
import { nearestName } from '../text/nearest.js'
import { formatMetric, type Metric, metricOf, metrics } from './metrics.js'
import type { Run } from './read.js'

/** A named value of a run: a fact of its record, a metric, or a field of its config. */
export interface Field {
  readonly name: string
  /** "any" for a field of the config, whose type may differ from run to run; "words" for a list of texts. */
  readonly type: 'text' | 'number' | 'words' | 'any'
  /** The only values of a text, if they are known. */
  readonly values?: readonly string[]
  /** Null if the run lacks it. */
  readonly of: (run: Run) => unknown
  /** The value in a table for people; undefined to print it as it is. */
  readonly format?: (run: Run) => string
}

const facts: readonly Field[] = [
  { name: 'folder', type: 'text', of: ({ folder }) => folder },
  { name: 'name', type: 'text', of: ({ record }) => record.name },
  { name: 'seed', type: 'number', of: ({ record }) => record.seed },
  {
    name: 'status',
    type: 'text',
    values: ['running', 'completed', 'interrupted', 'failed', 'damaged'],
    of: ({ status }) => status,
  },
  { name: 'epoch', type: 'number', of: lastEpoch },
  { name: 'epochs', type: 'number', of: ({ record }) => record.epochs },
  { name: 'device', type: 'text', of: ({ record }) => record.device },
  {
    name: 'tags',
    type: 'words',
    of: ({ notes }) => (notes.tags.length === 0 ? null : notes.tags),
    format: ({ notes }) => notes.tags.join(', '),
  },
  { name: 'note', type: 'text', of: ({ notes }) => notes.note || null, format: ({ notes }) => notes.note },
]

/** Returns the number of trained epochs. */
export function lastEpoch({ metrics }: Run): number {
  return metrics.at(-1)?.epoch ?? 0
}

/**
 * Returns the field of a name, or null if neither this version nor one of the runs has it: runs of another version may
 * have other config fields.
 */
export function fieldNamed(name: string, runs: readonly Run[]): Field | null {
  const fact = facts.find((each) => each.name === name)
  if (fact !== undefined) return fact
  if (isMetric(name)) return metricField(name)
  const path = name.split('.')
  const ofConfig: Field = { name, type: 'any', of: ({ config }) => valueAt(config, path) ?? null }
  return isConfigPath(name) || runs.some((run) => ofConfig.of(run) !== null) ? ofConfig : null
}

function metricField(name: Metric): Field {
  const of = (run: Run) => metricOf(run, name)
  return { name, type: 'number', of, format: (run) => formatMetric(name, of(run)) }
}

function isMetric(name: string): name is Metric {
  return (metrics as readonly string[]).includes(name)
}

/** Returns the advice for an unknown name: the config path that ends with it, or the name that is nearest to it. */
export function suggestionFor(name: string): string {
  const suggestion = nearestName(name, [...facts.map((fact) => fact.name), ...metrics], configPaths())
  if (suggestion !== null) return `Did you mean ${suggestion}?`
  return `Known are ${facts.map((fact) => fact.name).join(', ')}, ${metrics.join(', ')}, and config paths such as train.batchSize.`
}
