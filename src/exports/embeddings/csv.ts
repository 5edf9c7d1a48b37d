import { createObjectCsvStringifier } from 'csv-writer'
import { beginsWith } from '../../files/overwrite-guard.js'
import type { Embedding, EmbeddingFormat } from './embedding.js'

const firstColumns = ['index', 'label'] as const

/** A row an image: its place in the split, its label, and its coordinates z1 to zd. */
export const csv: EmbeddingFormat = {
  extension: '.csv',
  encode: (file, embedding) => {
    const columns = [...firstColumns, ...coordinates(embedding.latent)]
    const stringifier = createObjectCsvStringifier({ header: columns.map((id) => ({ id, title: id })) })
    const content = stringifier.getHeaderString() + stringifier.stringifyRecords(records(embedding))
    return [{ file, content }]
  },
  outputs: (file) => [{ file, mark: beginsWith([...firstColumns, 'z1'].join(',')) }],
}

function coordinates(latent: number): readonly string[] {
  return Array.from({ length: latent }, (_, axis) => `z${axis + 1}`)
}

// With so many digits a number read as fp32 is the same number.
const fp32Digits = 9

function records({ values, latent, labels }: Embedding): readonly object[] {
  const names = coordinates(latent)
  return Array.from(labels, (label, index) => {
    const record: Record<string, number> = { index, label }
    names.forEach((name, axis) => {
      record[name] = Number(values[index * latent + axis]!.toPrecision(fp32Digits))
    })
    return record
  })
}
