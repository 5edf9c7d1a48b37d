import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { type Probe, probeDevices } from '../engines/select.js'
import { EigenaeError } from '../errors.js'
import { packageRoot } from '../package-root.js'
import { version } from '../runs/facts.js'
import { writeJson, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'

export function doctorCommand() {
  return new Command('doctor')
    .description('List the devices that can train, and explain how to fix the others')
    .option('--json', 'print the findings as JSON', false)
    .addHelpText('after', '\nThe exit code is 1 if no device can train.\n\nExample:\n  eigenae doctor')
    .action(doctor)
}

/** Prints every device and the facts of the machine. @throws EigenaeError afterwards if no device can train. */
async function doctor({ json }: { readonly json: boolean }): Promise<void> {
  const probes = await probeDevices()
  const machine = machineFacts(probes)
  if (json) writeJson({ ...machine, devices: probes.map(deviceJson) })
  else
    writeResult(
      [heading(machine), alignedTable(probes.map(deviceRow)), ...hints(machine, probes)].join('\n\n'),
    )
  if (!machine.node.supported || !probes.some(({ kind }) => kind === 'usable')) {
    throw new EigenaeError({ problem: 'no device of this machine can train as it is' })
  }
}

type Machine = ReturnType<typeof machineFacts>

/** Returns facts about this machine. Those of the C++ core are null if it does not run. */
function machineFacts(probes: readonly Probe[]) {
  const cpu = probes.find(({ device }) => device === 'cpu')
  const engine = cpu?.kind === 'usable' ? cpu.engine : null
  return {
    eigenae: version,
    node: nodeFacts(),
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    instructionSet: engine?.variant ?? null,
    /** The origin of the addon. */
    addon: engine?.origin ?? null,
    /** Why the addons before it were not loaded, one line each. */
    addonRefusals: engine?.refusals ?? [],
  }
}

/** Compares this Node with the lower bound in package.json's field "engines". */
function nodeFacts() {
  const { engines } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    readonly engines: { readonly node: string }
  }
  const oldest = Number(/\d+/.exec(engines.node)?.[0])
  const current = process.versions.node
  return { version: current, needed: engines.node, supported: Number.parseInt(current, 10) >= oldest }
}

function heading({ eigenae, node, platform, cores, instructionSet, addon, addonRefusals }: Machine): string {
  const core =
    instructionSet === null ? 'the C++ core does not run' : `C++ core with ${instructionSet}, ${addon}`
  const facts = [`eigenae ${eigenae}`, `Node ${node.version}`, platform, `${cores} cores`, core]
  return [facts.join(' · '), ...addonRefusals.map((refusal) => `  ${refusal}`)].join('\n')
}

function deviceRow(probe: Probe): readonly string[] {
  if (probe.kind === 'refused') return [probe.device, 'no', probe.refusal.parts.problem]
  const { name, variant, origin, atOnce } = probe.engine
  const parts = [`${name} ${variant}`, atOnce === undefined ? null : origin, probe.reason]
  return [probe.device, 'usable', parts.filter((part) => part !== null).join('; ')]
}

/** Returns one block of advice for each device that has a hint, after one for a Node that is too old. */
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

function deviceJson(probe: Probe) {
  if (probe.kind === 'usable') {
    const { name, variant, origin, atOnce } = probe.engine
    const facts = { device: probe.device, usable: true, engine: name, variant, origin }
    return { ...facts, ...(atOnce && { atOnce }), ...(probe.reason && { reason: probe.reason }) }
  }
  const { problem, subject, hint } = probe.refusal.parts
  return { device: probe.device, usable: false, reason: problem, where: subject ?? null, mend: hint ?? null }
}
