import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { type Config, configText } from '../config/schema.js'
import { EigenaeError, knownError } from '../errors.js'
import { forEachChunk } from '../files/read.js'
import type { NamedTensor } from '../model/layout.js'
import { eigenaeCommand } from '../text/command-line.js'

// How a run's files are checked (inspect.ts): run.json has the SHA-256 of all files of a complete run and of itself
// (record.ts), a checkpoint that of the tables up to its epoch (checkpoint.ts), and every tensor file one of its own tensors
// and metadata (sha256OfTensors).

/** A file of a run that is missing or is not what the run wrote. */
export interface Damage {
  /** Relative to the run folder: "checkpoint/state.safetensors". */
  readonly file: string
  /** Follows the file's name in a message: "is missing". */
  readonly reason: string
}

export const remakeHint = `To remake it, repeat the command that created it with --resume (${eigenaeCommand('train … --resume')}).`

export function damageText({ file, reason }: Damage): string {
  return `${file} ${reason}`
}

/** Returns the error for a run that must not be used because of its damage. */
export function damagedRun(folder: string, damage: readonly Damage[]): EigenaeError {
  return new EigenaeError({
    problem: 'this run is damaged',
    subject: folder,
    details: damage.map(({ file, reason }) => `${join(folder, file)}: ${reason}`),
    hint: remakeHint,
  })
}

/** Returns the result of `read`; if it throws an EigenaeError, adds that to `damage` and returns undefined. */
export function collect<T>(damage: Damage[], file: string, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    damage.push({ file, reason: knownError(error).parts.problem })
    return undefined
  }
}

export const fileSumSchema = z.object({ bytes: z.int(), sha256: z.string() })

/** Length and SHA-256, in hexadecimal digits, of a file or of its first bytes. */
export type FileSum = z.output<typeof fileSumSchema>

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export function sumOf(content: string | Uint8Array): FileSum {
  return { bytes: Buffer.byteLength(content), sha256: sha256(content) }
}

/** The content of a file of tensors: a checkpoint or a model. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, NamedTensor>
  readonly metadata: Readonly<Record<string, string>>
}

/** Returns the checksum that a file of tensors has in its metadata. It covers all tensors and the other metadata. */
export function sha256OfTensors({ tensors, metadata }: TensorFile): string {
  const hash = createHash('sha256').update(JSON.stringify(metadata))
  for (const [name, { shape, values }] of tensors)
    hash.update(`${name} ${shape}`).update(Buffer.from(values.buffer, values.byteOffset, values.byteLength))
  return hash.digest('hex')
}

/** Returns the sum of a file of any length, undefined if it does not exist. */
export function sumOfFile(file: string): FileSum | undefined {
  const sum = new RunningSum()
  return forEachChunk(file, (chunk) => sum.add(chunk)) ? sum.current() : undefined
}

/** Returns the SHA-256 of config.json. It identifies a run, because the seed is part of the config. */
export function configSha256(config: Config): string {
  return sha256(configText(config))
}

/** The checksum of a file to which rows are appended. Each row is hashed once, however long the run is. */
export class RunningSum {
  readonly #hash = createHash('sha256')
  #bytes = 0

  add(content: string | Uint8Array): void {
    this.#hash.update(content)
    this.#bytes += Buffer.byteLength(content)
  }

  current(): FileSum {
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest('hex') }
  }
}

/** Returns why `content` does not begin with the bytes that a sum was computed of, null if it does. */
export function prefixMismatch(
  content: Uint8Array | undefined,
  { bytes, sha256: sum }: FileSum,
): string | null {
  if (content === undefined) return 'is missing'
  if (content.length < bytes) return `has ${content.length} bytes of the ${bytes} that the run wrote`
  return sha256(content.subarray(0, bytes)) === sum ? null : changed
}

/** Returns why `content` differs from what a sum was computed of, null if it does not. */
export function mismatch(content: Uint8Array | undefined, sum: FileSum): string | null {
  return prefixMismatch(content, sum) ?? (content!.length > sum.bytes ? changed : null)
}

export const changed = 'is not what the run wrote (its SHA-256 differs)'
