import { availableParallelism } from 'node:os'
import { Option } from 'commander'
import type { RequestedDevice } from '../../config/schema.js'
import { type DataSet, firstImages, type Split } from '../../data/load.js'
import { usageError } from '../../errors.js'
import { writeMessage } from '../../text/output.js'
import { type ComputeOptions, modelNote, type TrainedRun } from '../../training/trained-model.js'

/** Prints which checkpoint is used if a model is not the final one. */
export function warnOfCheckpoint(trained: TrainedRun): void {
  const note = modelNote(trained)
  if (note !== null) writeMessage(note)
}

/** Returns --data. */
export function dataOption(): Option {
  const description =
    'folder with the four idx files of a data set, or "mnist" (default: the data of the run)'
  return new Option('--data <folder>', description)
}

/** Returns a --split option without a default. */
export function splitOption(description: string): Option {
  return new Option('--split <name>', description).choices(['train', 'test'])
}

export interface ImageFlags {
  readonly split?: 'train' | 'test'
  readonly images?: number
}

/** Returns the images chosen by --split and --images. @throws a usage error if the split has fewer images. */
export function chosenImages(data: DataSet, { split = 'test', images }: ImageFlags): Split {
  const { count } = data[split].images
  if (images !== undefined && images > count)
    throw usageError({
      problem: `is ${images}, but there are only ${count} ${split} images`,
      subject: '--images',
    })
  return firstImages(data[split], images ?? null)
}

export interface ComputeFlags {
  readonly device: RequestedDevice
  readonly threads?: number
}

export function computeOptions({ device, threads }: ComputeFlags): ComputeOptions {
  return { device, threads: threads ?? availableParallelism() }
}
