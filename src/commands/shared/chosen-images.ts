import { type DataSet, firstImages, type Split } from '../../data/load.js'
import { usageError } from '../../errors.js'

export interface ImageFlags {
  readonly split?: 'train' | 'test'
  readonly images?: number
}

/** What --split and --images choose. @throws a usage error where the split has fewer images. */
export function chosenImages(data: DataSet, { split = 'test', images }: ImageFlags): Split {
  const { count } = data[split].images
  if (images !== undefined && images > count)
    throw usageError({
      problem: `is ${images}, but there are only ${count} ${split} images`,
      subject: '--images',
    })
  return firstImages(data[split], images ?? null)
}
