import { join, resolve } from 'node:path'
import { checkConfig } from '../config/check.js'
import type { Config } from '../config/schema.js'
import { absoluteSource } from '../data/load.js'
import { cudaEngineVariable } from '../engines/cuda/engine.js'
import { kernelVariant } from '../engines/cuda/kernel.js'
import { instructionSets } from '../engines/native/engine.js'
import { autoDeviceVariable, selectEngine } from '../engines/select.js'
import { wasmVariant } from '../engines/wasm/engine.js'
import { EigenaeError } from '../errors.js'
import { type EnvironmentFacts, environmentFacts } from '../runs/facts.js'
import { checkpointName, runFiles } from '../runs/files.js'
import { inspectRun } from '../runs/inspect.js'
import { type Damage, damagedRun, sumOfFile } from '../runs/integrity.js'
import type { RunRecord } from '../runs/record.js'
import { trainerSpec } from './spec.js'

// A run is a function of its config, its data, the device, the instruction set and the version of eigenae. This file
// turns run.json into the command that restores them, and compares the run that the command makes with the first one.

/** The parts of a run that its reproduction needs. */
export interface ReproducibleRun {
  readonly folder: string
  readonly config: Config
  readonly record: RunRecord
}

/** A command that trains a run again, with the same bytes. */
export interface Reproduction {
  readonly words: readonly string[]
  /** Variables that must be set. */
  readonly environment: Readonly<Record<string, string>>
  /** The folder in which to start the command; null if it does not matter. */
  readonly folder: string | null
  /** Reasons why the bytes may differ nevertheless. */
  readonly notes: readonly string[]
}

/** Reads run.json and config.json. @throws EigenaeError if one of them is damaged; the other files do not matter. */
export function readReproducible(folder: string): ReproducibleRun {
  const files = runFiles(folder)
  const { record, damage, contents } = inspectRun(files, 'tables')
  const fatal: readonly Damage[] = damage.filter(({ file }) => file === 'run.json' || file === 'config.json')
  if (fatal.length > 0) throw damagedRun(folder, fatal)
  const checked = checkConfig(JSON.parse(contents['config.json']!.toString('utf8')))
  if (checked.kind === 'config') return { folder, config: checked.config, record }
  throw new EigenaeError({
    problem: `this version cannot train the config, which eigenae ${record.versions.eigenae} wrote`,
    subject: files.config,
    hint: `Install eigenae ${record.versions.eigenae}.`,
  })
}

/** Returns the command that trains a run again into the folder `out`. */
export async function planReproduction(run: ReproducibleRun, out: string): Promise<Reproduction> {
  const { config, record } = run
  const folder = startFolder(run)
  // From another folder, relative paths would lead elsewhere.
  const path = (name: string) => (folder === null ? name : resolve(name))
  return {
    words: ['eigenae', 'train', '--config', path(runFiles(run.folder).config), '--out', path(out)],
    environment: {
      ...(await deviceVariables(config, record)),
      ...cudaEngineVariables(record),
      ...instructionSetVariables(record),
    },
    folder,
    notes: [...versionNotes(record, await environmentFacts()), ...engineNotes(record)],
  }
}

/** Returns the folder from which a relative `data.source` leads to the run's data, null if the working folder does. */
export function startFolder({ config, record: { dataSource, command } }: ReproducibleRun): string | null {
  const { source } = config.data
  if (dataSource === undefined || absoluteSource(source) === dataSource) return null
  if (command !== undefined && resolve(command.folder, source) === dataSource) return command.folder
  const end = join('/', source)
  return dataSource.endsWith(end) ? dataSource.slice(0, -end.length) || '/' : null
}

/** The config keeps "auto", because its bytes must stay. */
async function deviceVariables(config: Config, record: RunRecord): Promise<Reproduction['environment']> {
  if (config.device !== 'auto') return {}
  const needs = { spec: trainerSpec(config, 1, 1) }
  const selected = await selectEngine('auto', needs).catch((error: unknown) => {
    if (error instanceof EigenaeError) return null
    throw error
  })
  return selected?.engine.device === record.device ? {} : { [autoDeviceVariable]: record.device }
}

/** The device cuda has two engines, whose noise differs. */
function cudaEngineVariables({ device, engine }: RunRecord): Reproduction['environment'] {
  if (device !== 'cuda') return {}
  return { [cudaEngineVariable]: engine.name === 'cuda-core' ? 'core' : 'tensorflow' }
}

function instructionSetVariables({ engine: { name, variant } }: RunRecord): Reproduction['environment'] {
  if (name !== 'native' || !instructionSets().includes(variant)) return {}
  const current = process.env.EIGENAE_ISA || instructionSets()[0]
  return current === variant ? {} : { EIGENAE_ISA: variant }
}

function engineNotes({ engine: { name, variant } }: RunRecord): readonly string[] {
  if (name === 'native' && !instructionSets().includes(variant))
    return [`the run used the instruction set ${variant}, which this machine cannot run`]
  if (variant.includes('side by side'))
    return [`the run was trained with others side by side (${name} ${variant}), and is trained alone now`]
  if (name === 'wasm' && wasmVariant() !== variant)
    return [`the run used WebAssembly with ${variant}, and this Node runs ${wasmVariant() ?? 'none'}`]
  if (name === 'cuda-core' && kernelVariant() !== variant)
    return [`the run used the CUDA kernel ${variant}, and this version has ${kernelVariant()}`]
  return []
}

function versionNotes({ versions, eigenae }: RunRecord, now: EnvironmentFacts): readonly string[] {
  if (versions.eigenae !== now.versions.eigenae)
    return [`the run was made by eigenae ${versions.eigenae}, and this is ${now.versions.eigenae}`]
  if (eigenae?.dirty === true)
    return [`eigenae's own files differed from its commit ${eigenae.commit} when the run was made`]
  const [then, here] = [eigenae?.commit ?? null, now.eigenae?.commit ?? null]
  if (then === null || here === null || then === here) return []
  return [`the run was made by eigenae's commit ${then}, and this is ${here}`]
}

interface ComparedFile {
  readonly name: string
  readonly same: boolean
}

/** Hold times, so no two runs have the same. */
const timedFiles: readonly string[] = ['timings.csv', checkpointName]

/**
 * Compares every file of a completed run that holds no times with the same file of its reproduction. The recorded sums are
 * those of the run as it was made, even if its files were changed since.
 */
export function compareWithReproduction(record: RunRecord, reproduced: string): readonly ComparedFile[] {
  const sums = record.status === 'completed' ? record.files : {}
  return Object.entries(sums)
    .filter(([name]) => !timedFiles.includes(name))
    .map(([name, { sha256 }]) => ({ name, same: sumOfFile(join(reproduced, name))?.sha256 === sha256 }))
}

/** Returns in what a run and its reproduction differ beside their files, one line each. */
export function differingCircumstances(first: RunRecord, second: RunRecord): readonly string[] {
  const pairs = [
    ['eigenae', first.versions.eigenae, second.versions.eigenae],
    ["eigenae's commit", first.eigenae?.commit, second.eigenae?.commit],
    [
      'engine',
      `${first.engine.name} ${first.engine.variant}`,
      `${second.engine.name} ${second.engine.variant}`,
    ],
    ['device', first.device, second.device],
    ['processor', first.cpu?.model, second.cpu?.model],
    ['Node', first.versions.node, second.versions.node],
    ...Object.keys(first.dataSha256).map(
      (name) => [`SHA-256 of ${name}`, first.dataSha256[name], second.dataSha256[name]] as const,
    ),
  ] as const
  return pairs
    .filter(([, then, now]) => then !== undefined && then !== null && then !== now)
    .map(([what, then, now]) => `${what}: ${then} then, ${now ?? 'unknown'} now`)
}
