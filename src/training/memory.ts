import { constants } from 'node:buffer'
import { totalmem } from 'node:os'
import type { Config } from '../config/schema.js'
import { usageError } from '../errors.js'
import { latentDimension, layersOf } from '../model/architecture.js'
import { layoutOf } from '../model/layout.js'
import { thousands } from '../text/format.js'

/** The numbers of images in the two splits. */
interface ImageCounts {
  readonly train: number
  readonly test: number
}

// Bytes per parameter: the core's weight and two moments (12), a state on its way to a checkpoint (12 in the core's
// order, 12 as arrays), and the checkpoint file (12).
const bytesPerParameter = 48
// Floats per unit and image of a batch: output, gradient, their transposes, and the values that batch norm keeps.
const floatsPerActivation = 4
// Slices of the pixels, each with its own partial sums of the first layer: native/core/slices.h.
const slices = 8
// Images that each thread evaluates at once: native/core/inference.cc.
const evaluatedAtOnce = 64
const float = 4
const double = 8

/** Returns the memory in bytes that training on the processor needs, without the program itself and the images. */
function memoryNeeded({ model, train }: Config, images: ImageCounts, threads: number): number {
  const layers = layersOf(model)
  const units = layers.slice(0, -1).map(({ outputs }) => outputs)
  const first = units[0]!
  const latent = latentDimension(model)
  const batch = train.batchSize
  const state = bytesPerParameter * layoutOf(model).parameterCount
  const activations = float * batch * (floatsPerActivation * sum(units) + (slices + 2) * first)
  // The lists of non-zero activations of the first layer, by image and by unit: a value and an index each.
  const perThread = 4 * float * batch * first + 4 * float * evaluatedAtOnce * Math.max(...units)
  const embeddings = float * latent * (images.train + 2 * images.test)
  const spectrum = 3 * double * latent * latent
  return state + activations + threads * perThread + embeddings + spectrum
}

/** Returns the bytes of memory of the machine, or the limit of this process's control group. */
function availableMemory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** @throws a usage error if the network does not fit into the machine's memory, or its checkpoint into a file's buffer. */
export function refuseTooLarge(config: Config, images: ImageCounts, threads: number): void {
  const { parameterCount } = layoutOf(config.model)
  const maximumParameters = Math.floor(constants.MAX_LENGTH / 12) - 1e6
  if (parameterCount > maximumParameters)
    throw tooLarge(
      `make ${thousands(parameterCount)} parameters; a checkpoint holds ${thousands(maximumParameters)} at most`,
    )
  const [needed, available] = [memoryNeeded(config, images, threads), availableMemory()]
  if (needed <= available) return
  const sizes = `about ${gibibytes(needed)} of memory, and this machine has ${gibibytes(available)}`
  throw tooLarge(
    `make ${thousands(parameterCount)} parameters, which need ${sizes} (batch ${config.train.batchSize}, ${threads} threads)`,
  )
}

function tooLarge(problem: string): Error {
  return usageError({
    problem,
    subject: 'model.widths',
    hint: 'Lower the widths, train.batchSize or --threads.',
  })
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
