import type { Comparison } from '../../comparison/comparison.js'
import { version } from '../../runs/facts.js'

/** Returns the title of a report: the sweep's name or, if no sweep made all arms, the arms' names or their number. */
export function reportTitle({ arms, sweep }: Comparison): string {
  if (sweep?.name != null) return sweep.name
  if (arms.length > 3) return `${arms.length} arms compared`
  const names = arms.map(({ label }) => label)
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** Returns a line about the runs, one about their origin, and one about the report itself. */
export function reportFacts({ arms }: Comparison, now: Date): readonly string[] {
  const runs = arms.flatMap((arm) => arm.runs)
  const records = runs.map(({ record }) => record)
  const distinct = (values: readonly string[]) => listing([...new Set(values)])
  const ended = records.flatMap((record) => ('ended' in record ? [record.ended.slice(0, 10)] : [])).sort()
  const dates = ended[0] === ended.at(-1) ? `${ended[0]}` : `${ended[0]} to ${ended.at(-1)}`
  return [
    `${runs.length} completed run${runs.length === 1 ? '' : 's'} in ${arms.length} arm${arms.length === 1 ? '' : 's'}${ended.length > 0 ? `, trained ${dates}` : ''}`,
    `On ${distinct(records.map(({ host }) => host))}: ${distinct(records.map(({ device, engine }) => `${device} (${engine.name} ${engine.variant})`))}, eigenae ${distinct(records.map(({ versions }) => versions.eigenae))}, Node ${distinct(records.map(({ versions }) => versions.node))}`,
    `Report made ${now.toISOString().slice(0, 16).replace('T', ' ')} UTC by eigenae ${version}`,
  ]
}

// A cluster has hundreds of nodes.
const mostNamed = 4

function listing(values: readonly string[]): string {
  const named = values.slice(0, mostNamed).join(', ')
  return values.length > mostNamed ? `${named} and ${values.length - mostNamed} more` : named
}
