import { constants } from 'node:buffer'
import { totalmem } from 'node:os'
import type { Config } from '../config/schema.js'
import { usageError } from '../errors.js'
import { latentDimension, layersOf } from '../model/architecture.js'
import { layoutOf } from '../model/layout.js'
import { thousands } from '../text/format.js'

/** Images that a run holds or embeds at once. */
export interface ImageCounts {
  readonly train: number
  readonly test: number
}

// Bytes a parameter: the core's weight and two moments (12), a state on its way to a checkpoint (12 in the core's
// order, 12 as arrays), and the checkpoint's file (12).
const bytesOfParameter = 48
// Numbers a unit and image of a batch: output, gradient, their transpose, and what batch norm keeps.
const copiesOfActivation = 4
// Slices of the pixels whose parts of the first layer's sums are kept side by side: native/core/slices.h.
const slices = 8
// The core evaluates this many images at once on each thread: native/core/inference.cc.
const evaluatedAtOnce = 64
const float = 4
const double = 8

/** The memory in bytes that training on the processor needs, without the program itself and the images. */
export function memoryNeeded({ model, train }: Config, images: ImageCounts, threads: number): number {
  const layers = layersOf(model)
  const units = layers.slice(0, -1).map(({ outputs }) => outputs)
  const first = units[0]!
  const latent = latentDimension(model)
  const batch = train.batchSize
  const state = bytesOfParameter * layoutOf(model).parameterCount
  const activations = float * batch * (copiesOfActivation * sum(units) + (slices + 2) * first)
  // Lists of what is not 0 in the first layer's activations, by images and by units: value and place.
  const ofThread = 4 * float * batch * first + 4 * float * evaluatedAtOnce * Math.max(...units)
  const embeddings = float * latent * (images.train + images.test)
  const spectrum = 3 * double * latent * latent
  return state + activations + threads * ofThread + embeddings + spectrum
}

/** Bytes of the machine, or of the control group that this process may not leave. */
function memoryThere(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** @throws a usage error if the network does not fit into the machine's memory, or its checkpoint into a file's buffer. */
export function refuseTooLarge(config: Config, images: ImageCounts, threads: number): void {
  const { parameterCount } = layoutOf(config.model)
  const mostParameters = Math.floor(constants.MAX_LENGTH / 12) - 1e6
  if (parameterCount > mostParameters)
    throw tooLarge(
      `make ${thousands(parameterCount)} parameters; a checkpoint holds ${thousands(mostParameters)} at most`,
    )
  const [needed, there] = [memoryNeeded(config, images, threads), memoryThere()]
  if (needed <= there) return
  const sizes = `about ${gibibytes(needed)} of memory, and this machine has ${gibibytes(there)}`
  throw tooLarge(
    `make ${thousands(parameterCount)} parameters, which need ${sizes} (batch ${config.train.batchSize}, ${threads} threads)`,
  )
}

function tooLarge(what: string): Error {
  return usageError({
    problem: what,
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
