import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { readTextIfPresent } from '../files/read.js'
import { jsonText, writeDurably } from '../files/write.js'
import { mnistShape } from '../model/architecture.js'
import { type Damage, fileSumSchema, sha256 } from './integrity.js'

/** A command line as separate words, and the working folder. */
export const commandSchema = z.object({ words: z.array(z.string()).readonly(), folder: z.string() })
export type RecordedCommand = z.output<typeof commandSchema>

const facts = {
  name: z.string(),
  seed: z.int(),
  epochs: z.int(),
  /** May be a device of another version. */
  device: z.string(),
  deviceReason: z.string(),
  engine: z.object({
    name: z.string(),
    variant: z.string(),
    threads: z.int(),
    /** The origin of the file that ran it, as `Engine.origin`. */
    origin: z.string().optional(),
  }),
  versions: z.object({ eigenae: z.string(), node: z.string() }),
  /** The commit of the working folder; null outside a git repository. */
  gitCommit: z.string().nullable(),
  // Runs of earlier versions lack the optional fields.
  /** Whether the contents of tracked files differed from that commit; null if unknown. */
  gitDirty: z.boolean().nullable().optional(),
  /** The commit of eigenae itself and whether its files differed from it; null if unknown. */
  eigenae: z.object({ commit: z.string().nullable(), dirty: z.boolean().nullable() }).optional(),
  host: z.string(),
  /** The processor's model, null if the system does not name it, and the number of cores that the process may use. */
  cpu: z.object({ model: z.string().nullable(), cores: z.int() }).optional(),
  /** As Node names it: { type: "Linux", release: "6.1.0", arch: "x64" }. */
  system: z.object({ type: z.string(), release: z.string(), arch: z.string() }).optional(),
  /** The command that trained the run, or the sweep that it belongs to, and the folder in which it was started. */
  command: commandSchema.optional(),
  /** The config's `data.source` as an absolute path, or "mnist". */
  dataSource: z.string().optional(),
  dataSha256: z.record(z.string(), z.string()),
  /** The columns and rows of the images, in pixels. */
  imageShape: z.object({ width: z.int(), height: z.int() }).default(mnistShape),
  started: z.string(),
  /** SHA-256 of config.json. */
  configSha256: z.string(),
  /**
   * The configs that the run had before it was lengthened, the first one first. Until the next epoch is written, its
   * checkpoint belongs to one of them.
   */
  shorterConfigs: z.array(z.object({ epochs: z.int(), configSha256: z.string() })).optional(),
}

/** Sums of files, by their paths in the run folder, which do not lead out of it. */
const fileSums = z.record(z.string().regex(/^(?!.*\.\.([/\\]|$))[^/\\]/s), fileSumSchema)

const ending = {
  ended: z.string(),
  /** The most memory that the process has had resident. Runs of earlier versions lack it. */
  peakMemoryBytes: z.int().optional(),
}

const recordSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('running'), ...facts }),
  z.object({ status: z.literal('completed'), ...ending, files: fileSums, ...facts }),
  z.object({ status: z.literal('interrupted'), ...ending, ...facts }),
  z.object({ status: z.literal('failed'), error: z.string(), ...ending, ...facts }),
])

/** run.json: the facts of a run and its outcome. */
export type RunRecord = z.output<typeof recordSchema>
export type RunStatus = RunRecord['status']
export type FileSums = z.output<typeof fileSums>
export type RunFacts = Omit<Extract<RunRecord, { status: 'running' }>, 'status'>

type WithoutFacts<Each> = Each extends unknown ? Omit<Each, keyof RunFacts> : never

/** How a run ended, or "running" if it has not. */
export type RunOutcome = WithoutFacts<RunRecord>

export async function writeRecord(file: string, record: RunRecord): Promise<void> {
  await writeDurably(file, jsonText(withChecksum(record)))
}

/** Returns a record without its outcome. */
export function factsIn(record: RunRecord): RunFacts {
  return z.object(facts).parse(record)
}

/** Returns the checksums of the configs to which a checkpoint of this run may belong. */
export function configSums({ configSha256, shorterConfigs = [] }: RunRecord): readonly string[] {
  return [configSha256, ...shorterConfigs.map((shorter) => shorter.configSha256)]
}

/** Adds the SHA-256 of the other fields' JSON, which detects changes by other programs. */
export function withChecksum(fields: object): object {
  return { ...fields, sha256: sha256(JSON.stringify(fields)) }
}

/** Returns whether fields have the checksum that `withChecksum` added to them. */
export function hasItsChecksum({ sha256: sum, ...fields }: Readonly<Record<string, unknown>>): boolean {
  return sum === sha256(JSON.stringify(fields))
}

export const changedRecord: Damage = { file: 'run.json', reason: 'was changed (its checksum differs)' }

/**
 * Returns run.json, and whether it differs from its own checksum.
 * @throws EigenaeError if the file is missing or is not a run.json.
 */
export function readRecord(file: string) {
  const text = readTextIfPresent(file)
  if (text === undefined)
    throw new EigenaeError({ problem: 'does not exist', subject: file, hint: 'Check the path.' })
  try {
    const value = JSON.parse(text)
    return { record: recordSchema.parse(value), isChanged: !hasItsChecksum(value) }
  } catch (cause) {
    throw new EigenaeError({ problem: 'is not the record of an eigenae run', subject: file, cause })
  }
}
