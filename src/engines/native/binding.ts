import { createRequire } from 'node:module'
import { join } from 'node:path'
import { firstLine } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import type { CoreTrainer } from '../core.js'
import type { CudaBinding } from '../cuda/binding.js'

/** The exports of native/addon/addon.cc. */
export interface NativeBinding extends CoreMeasures {
  /** The instruction sets of this processor that have kernels, the fastest first: "amx", "avx512", "x86-64", "neon" … */
  readonly instructionSets: readonly string[]
  /** @param spec of `encodeSpec` */
  readonly createTrainer: (spec: Float64Array, images: Uint8Array) => CoreTrainer
  /** Measures the GFLOP/s of multiply-adds on registers, on the given number of threads. */
  readonly measurePeak: (threads: number) => Promise<number>
  readonly cuda: CudaBinding
}

/** The measures of trained networks that the core computes. */
export interface CoreMeasures {
  /**
   * Finds [queries][neighbours]: the indices of each query's nearest points, the nearest first; −1 if there are too few
   * points.
   */
  readonly findNeighbours: (search: NeighbourSearch) => RunningMeasure<Int32Array>
  /** Counts the scored images whose label a linear map of the embedding predicts: native/core/linear_probe.h. */
  readonly countProbeHits: (probe: LinearProbe) => RunningMeasure<number>
  /** Computes the singular values, [columns], the largest first: native/core/singular_values.h. */
  readonly singularValues: (matrix: Matrix) => RunningMeasure<Float64Array>
  readonly measureLayer: (layer: LayerOutputs) => RunningMeasure<MeasuredOutputs>
}

/** A computation off the JavaScript thread. */
export interface RunningMeasure<T> {
  readonly result: Promise<T>
  /** Ends the computation early; its result is then meaningless. */
  readonly stop: () => void
}

interface NeighbourSearch {
  /** [count][dimensions], row-major. */
  readonly points: Float32Array
  /** [count][dimensions], row-major. */
  readonly queries: Float32Array
  readonly dimensions: number
  readonly neighbours: number
  /** Whether the queries are the first of the points; a point is then not its own neighbour. */
  readonly leaveOut: boolean
  readonly threads: number
}

/** Embeddings [count][latent] with their labels. */
export interface LabelledEmbedding {
  readonly embedding: Float32Array
  readonly labels: Uint8Array
}

interface LinearProbe {
  readonly train: LabelledEmbedding
  readonly scored: LabelledEmbedding
  readonly latent: number
  /** Whether the scored images are the first train images, each left out of the fit that scores it. */
  readonly leaveOut: boolean
}

interface Matrix {
  /** [rows][columns], row-major. */
  readonly values: Float64Array
  readonly columns: number
  /** Whether the singular values are those of the centred matrix. */
  readonly center: boolean
}

/** The outputs of a hidden layer's linear map. */
interface LayerOutputs {
  /** [count][width], row-major. */
  readonly outputs: Float32Array
  readonly width: number
  /** Whether the eigenvalues are those of the centred matrix. */
  readonly center: boolean
  /** Whether the eigenvalues are wanted. Their time grows with the cube of the width. */
  readonly ranked: boolean
  /** Batch norm in inference mode, x → scale · x + shift, [width] each; null without batch norm. */
  readonly norm: { readonly scale: Float64Array; readonly shift: Float64Array } | null
}

export interface MeasuredOutputs {
  /** Number of units whose outputs, after batch norm, are over 0 for no image. */
  readonly silentUnits: number
  /** The mean over the units of the variance over the images. */
  readonly meanVariance: number
  /** [width], the eigenvalues of ZᵀZ in no order; empty unless wanted. */
  readonly eigenvalues: Float64Array
}

export interface LoadedBinding {
  readonly binding: NativeBinding
  /** "prebuilt for linux-x64" or "built here". */
  readonly origin: string
  /** Why the addons before it were not loaded. */
  readonly refusals: readonly string[]
}

const platform = `${process.platform}-${process.arch}`

/**
 * The first addon that loads is used. Only a package has prebuilds/, which were tested with its other files and so come
 * first. A clone has none, so it always runs its own last build.
 */
const locations = [
  { origin: `prebuilt for ${platform}`, folder: join(packageRoot, 'prebuilds', platform) },
  { origin: 'built here', folder: join(packageRoot, 'native', 'build') },
] as const

let loaded: LoadedBinding | undefined

/** @throws BindingError if there is no addon, or none that fits this machine. */
export function loadNativeBinding(): LoadedBinding {
  loaded ??= loadFirst()
  return loaded
}

function loadFirst(): LoadedBinding {
  const load = createRequire(import.meta.url)
  const refusals: string[] = []
  const misfits: string[] = []
  for (const { origin, folder } of locations) {
    try {
      return { binding: load(join(folder, 'eigenae.node')) as NativeBinding, origin, refusals }
    } catch (error) {
      const reason = firstLine(error)
      const missing = reason.startsWith('Cannot find module')
      refusals.push(`${origin}: ${missing ? 'not found' : reason}`)
      if (!missing) misfits.push(`${origin}: ${reason}`)
    }
  }
  throw new BindingError(refusals, misfits)
}

export class BindingError extends Error {
  constructor(
    refusals: readonly string[],
    /** The loader's errors for addons that exist but do not fit this machine. */
    readonly misfits: readonly string[],
  ) {
    super(refusals.join('; '))
  }
}
