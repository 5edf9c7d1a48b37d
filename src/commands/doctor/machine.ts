import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Probe } from '../../engines/select.js'
import { packageRoot } from '../../package-root.js'
import { version } from '../../runs/facts.js'

export interface Machine {
  readonly eigenae: string
  readonly node: { readonly version: string; readonly needed: string; readonly supported: boolean }
  /** "linux x64" */
  readonly platform: string
  readonly cores: number
  /** What the C++ core's kernels run on; null where it does not run, for the reason that the device cpu gives. */
  readonly instructionSet: string | null
  /** Where the C++ core's addon is from; null likewise. */
  readonly addon: string | null
  /** Why the addons that come before it were not taken. */
  readonly addonRefusals: readonly string[]
}

export function machineFacts(probes: readonly Probe[]): Machine {
  const cpu = probes.find(({ device }) => device === 'cpu')
  const engine = cpu?.kind === 'usable' ? cpu.engine : null
  return {
    eigenae: version,
    node: nodeFacts(),
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    instructionSet: engine?.variant ?? null,
    addon: engine?.origin ?? null,
    addonRefusals: engine?.refusals ?? [],
  }
}

/** This package's own "engines" field, a lower bound, says which Node it needs. */
function nodeFacts(): Machine['node'] {
  const { engines } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    readonly engines: { readonly node: string }
  }
  const oldest = Number(/\d+/.exec(engines.node)?.[0])
  const current = process.versions.node
  return { version: current, needed: engines.node, supported: Number.parseInt(current, 10) >= oldest }
}
