import { createRequire } from 'node:module'
import { join } from 'node:path'
import { firstLine } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import type { CoreSpec } from '../core-spec.js'
import type { CoreTrainer } from '../core-trainer.js'
import type { CudaBinding } from '../cuda/binding.js'

/** The exports of native/addon/addon.cc. @throws TypeError or RangeError with the name of an invalid argument. */
export interface NativeBinding {
  /** The instruction sets of this processor that have kernels, the fastest first: "amx", "avx512", "x86-64", "neon" … */
  readonly instructionSets: readonly string[]
  readonly createTrainer: (spec: CoreSpec, images: Uint8Array) => CoreTrainer
  /** Measures the GFLOP/s of multiply-adds on registers, on the given number of threads. */
  readonly measurePeak: (threads: number) => Promise<number>
  readonly findNeighbours: (search: NeighbourSearch) => RunningSearch
  readonly cuda: CudaBinding
}

export interface NeighbourSearch {
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

export interface RunningSearch {
  /** [queries][neighbours]: the indices of each query's nearest points, the nearest first; −1 if there are too few points. */
  readonly found: Promise<Int32Array>
  /** Ends the search early; its result is then meaningless. */
  readonly stop: () => void
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

/** @throws BindingError if there is no addon, or none that fits this machine. */
export function loadNativeBinding(): LoadedBinding {
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
