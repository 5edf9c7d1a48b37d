import { dirname, extname } from 'node:path'
import { usageError } from '../../errors.js'
import { makeFolder } from '../../files/folder.js'
import { refuseExistingFiles, refuseForeignFiles } from '../../files/overwrite-guard.js'
import { writeTogether } from '../../files/write.js'
import { csv } from './csv.js'
import type { Embedding, EmbeddingFormat } from './embedding.js'
import { npy } from './npy.js'

/** Every kind of file an embedding is written to. Another is a file beside csv.ts and a row here. */
const formats: readonly EmbeddingFormat[] = [csv, npy]

/**
 * Returns the format that a file's name asks for. Writes nothing.
 * @throws a usage error if the name asks for none, if a file would be replaced that is no embedding, or, without
 * `overwrite`, any file: a CSV file has no place for a mark, so its header is all that is recognised.
 */
export function embeddingFormatOf(file: string, overwrite: boolean): EmbeddingFormat {
  const format = formats.find(({ extension }) => extension === extname(file).toLowerCase())
  if (format === undefined) {
    const known = formats.map(({ extension }) => extension).join(' or ')
    throw usageError({ problem: `must end with ${known} (got "${file}")`, subject: '--out' })
  }
  const outputs = format.outputs(file)
  refuseForeignFiles(outputs, 'Name another file with --out.')
  const hint = 'Replace the embedding by --overwrite, or name another file with --out.'
  if (!overwrite) refuseExistingFiles(outputs, hint)
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
