import type { Config } from '../../config/schema.js'
import type { FileContent } from '../../files/write.js'
import type { ImageShape } from '../../model/architecture.js'
import type { ExportedNetwork } from './network.js'

/** A format of the files in an export's folder, beside its README.md. */
export interface FolderFormat {
  readonly name: string
  readonly fileNames: readonly string[]
}

/** A file format for models, one row of the table in index.ts. `encode` returns the files of `fileNames`. */
export interface ModelFormat extends FolderFormat {
  encode(network: ExportedNetwork, facts: ExportFacts): Promise<readonly ExportFile[]>
  /** Returns the instructions for README.md. */
  guide(network: ExportedNetwork): Guide
}

export interface ExportFile {
  readonly name: string
  readonly content: FileContent
}

interface Guide {
  readonly language: 'python' | 'js'
  /** The packages to install or scripts to include, in Markdown. */
  readonly needs: string
  /** Code that reads a variable with the name of the network's input and sets one with the name of its output. */
  readonly code: readonly string[]
  /** The type and shape of the input variable. */
  readonly inputIs: string
  /** Further sentences in Markdown. */
  readonly notes: readonly string[]
}

/** The origin of a model, which every export contains. */
export interface ExportFacts {
  readonly run: string
  readonly seed: number
  /** The number of epochs trained. */
  readonly epoch: number
  readonly eigenae: string
  readonly imageShape: ImageShape
  readonly config: Config
}

/** Returns the bytes of a tensor. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** Returns a function that encodes messages of a Protocol Buffers schema, by the names of their types. */
export async function protobufEncoder(
  schema: string,
): Promise<(type: string, message: object) => Uint8Array> {
  // Imported here because no other command needs it.
  const { default: protobuf } = await import('protobufjs')
  const { root } = protobuf.parse(schema, { keepCase: true })
  return (type, message) => {
    const found = root.lookupType(type)
    return found.encode(found.fromObject(message)).finish()
  }
}
