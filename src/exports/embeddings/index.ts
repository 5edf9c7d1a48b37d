import { dirname, extname } from 'node:path'
import { usageError } from '../../errors.js'
import { makeFolder } from '../../files/folder.js'
import { readFirstBytes } from '../../files/read.js'
import { writeTogether } from '../../files/write.js'
import { csv } from './csv.js'
import type { Embedding, EmbeddingFormat } from './embedding.js'
import { npy } from './npy.js'

/** Every kind of file an embedding is written to. Another is a file beside csv.ts and a row here. */
const formats: readonly EmbeddingFormat[] = [csv, npy]

// What tells an embedding from another file lies in these.
const headBytes = 256

/**
 * The format that a file's name asks for; writes nothing. An earlier embedding is replaced.
 * @throws a usage error where the name asks for none, or a file is there that is no embedding of eigenae.
 */
export async function embeddingFormatOf(file: string): Promise<EmbeddingFormat> {
  const format = formats.find(({ extension }) => extension === extname(file).toLowerCase())
  if (format === undefined) {
    const known = formats.map(({ extension }) => extension).join(' or ')
    throw usageError({ what: `must end with ${known} (got "${file}")`, where: '--out' })
  }
  const beginning = readFirstBytes(file, headBytes)
  if (beginning !== undefined && !format.isOurs(file, beginning)) {
    throw usageError({
      what: 'exists and is no embedding written by eigenae, so it is left as it is',
      where: file,
      hint: 'Name another file with --out.',
    })
  }
  return format
}

/** The names of the files that were written. */
export async function writeEmbedding(
  format: EmbeddingFormat,
  file: string,
  embedding: Embedding,
): Promise<readonly string[]> {
  const files = format.encode(file, embedding)
  await makeFolder(dirname(file))
  await writeTogether(files)
  return files.map((each) => each.file)
}
