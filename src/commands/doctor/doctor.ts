import { type Probe, probeDevices } from '../../engines/select.js'
import { EigenaeError } from '../../errors.js'
import { writeJson, writeResult } from '../../text/output.js'
import { alignedTable } from '../../text/table.js'
import { type Machine, machineFacts } from './machine.js'

export interface DoctorFlags {
  readonly json: boolean
}

/** @throws EigenaeError where nothing here can train, after all has been printed. */
export async function doctor({ json }: DoctorFlags): Promise<void> {
  const probes = await probeDevices()
  const machine = machineFacts(probes)
  if (json) writeJson({ ...machine, devices: probes.map(asJson) })
  else writeResult(page(machine, probes))
  if (!machine.node.supported || !probes.some(({ kind }) => kind === 'usable')) {
    throw new EigenaeError({ problem: 'no device of this machine can train as it is' })
  }
}

function page(machine: Machine, probes: readonly Probe[]): string {
  const table = alignedTable(probes.map(row), ['left', 'left', 'left'])
  return [head(machine), table, ...hints(machine, probes)].join('\n\n')
}

function head({ eigenae, node, platform, cores, instructionSet, addon, addonRefusals }: Machine): string {
  const core =
    instructionSet === null ? 'the C++ core does not run' : `C++ core with ${instructionSet}, ${addon}`
  const facts = [`eigenae ${eigenae}`, `Node ${node.version}`, platform, `${cores} cores`, core]
  return [facts.join(' · '), ...addonRefusals.map((refusal) => `  ${refusal}`)].join('\n')
}

function row(probe: Probe): readonly string[] {
  if (probe.kind === 'usable') return [probe.device, 'usable', `${probe.engine.name} ${probe.engine.variant}`]
  return [probe.device, 'no', probe.refusal.parts.problem]
}

/** What to do, a block each device that something can be done about. */
function hints({ node }: Machine, probes: readonly Probe[]): readonly string[] {
  const newNode = node.supported
    ? []
    : [block('Node is too old', `It must be ${node.needed}: https://nodejs.org/en/download`)]
  const devices = probes.flatMap((probe) => {
    const hint = probe.kind === 'refused' ? probe.refusal.parts.hint : undefined
    return hint === undefined ? [] : [block(`To use ${probe.device}`, hint)]
  })
  return [...newNode, ...devices]
}

function block(title: string, hint: string): string {
  return [`${title}:`, ...hint.split('\n').map((line) => `  ${line}`)].join('\n')
}

function asJson(probe: Probe) {
  if (probe.kind === 'usable') {
    const { name, variant, origin } = probe.engine
    return { device: probe.device, usable: true, engine: name, variant, origin }
  }
  const { problem, subject, hint } = probe.refusal.parts
  return { device: probe.device, usable: false, reason: problem, where: subject ?? null, mend: hint ?? null }
}
