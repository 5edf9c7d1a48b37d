import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Config } from '../config/schema.js'
import { jsonText } from '../files/json.js'
import { forEachChunk } from '../files/read.js'

export const fileSumSchema = z.object({ bytes: z.int(), sha256: z.string() })

/** Length and SHA-256, in hexadecimal digits, of a file or of its first bytes. */
export type FileSum = z.output<typeof fileSumSchema>

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export function sumOf(content: string | Uint8Array): FileSum {
  return { bytes: Buffer.byteLength(content), sha256: sha256(content) }
}

/** Returns the sum of a file of any length, undefined if it does not exist. */
export function sumOfFile(file: string): FileSum | undefined {
  const sum = new RunningSum()
  return forEachChunk(file, (chunk) => sum.add(chunk)) ? sum.current() : undefined
}

/** Returns the SHA-256 of a config as config.json holds it. It names a run: its seed is part of its config. */
export function configSha256(config: Config): string {
  return sha256(jsonText(config))
}

/** The sum of a file that grows at its end: a long run never hashes a row twice. */
export class RunningSum {
  readonly #hash = createHash('sha256')
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  add(content: string | Uint8Array): void {
    this.#hash.update(content)
    this.#bytes += Buffer.byteLength(content)
  }

  current(): FileSum {
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest('hex') }
  }
}

/** Returns why `content` does not begin with the bytes of a sum, null if it does. */
export function prefixMismatch(
  content: Uint8Array | undefined,
  { bytes, sha256: sum }: FileSum,
): string | null {
  if (content === undefined) return 'is missing'
  if (content.length < bytes) return `has ${content.length} bytes of the ${bytes} that the run wrote`
  return sha256(content.subarray(0, bytes)) === sum ? null : changed
}

/** Returns why `content` is not what a sum was made of, null if it is. */
export function mismatch(content: Uint8Array | undefined, sum: FileSum): string | null {
  return prefixMismatch(content, sum) ?? (content!.length > sum.bytes ? changed : null)
}

export const changed = 'is not what the run wrote (its SHA-256 differs)'
