import type { Output } from '../../files/overwrite-guard.js'
import type { NamedContent } from '../../files/write.js'

/** Images where the encoder puts them. */
export interface Embedding {
  /** [count][latent]. */
  readonly values: Float32Array
  readonly latent: number
  /** One label an image. */
  readonly labels: Uint8Array
}

/** A kind of file: one row of the table in index.ts. */
export interface EmbeddingFormat {
  readonly extension: string
  /** The files, that of the name asked for first. */
  encode(file: string, embedding: Embedding): readonly NamedContent[]
  /** The same files, with how an earlier one of `encode` is recognised. */
  outputs(file: string): readonly Output[]
}
