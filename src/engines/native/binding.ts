import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../../package-root.js'
import type { CoreTrainer } from '../core-trainer.js'
import type { TrainerSpec } from '../engine.js'

/** What native/addon/addon.cc exports. @throws TypeError or RangeError with the name of a wrong argument. */
export interface NativeBinding {
  /** The instruction sets of this processor that the kernels know, the fastest first: "amx", "avx512", "x86-64", "neon" … */
  readonly instructionSets: readonly string[]
  readonly createTrainer: (spec: TrainerSpec, images: Uint8Array) => CoreTrainer
  /** GFLOP/s of multiply-adds on registers alone, on so many threads at once. */
  readonly measurePeak: (threads: number) => Promise<number>
  readonly findNeighbours: (search: NeighbourSearch) => RunningSearch
}

export interface NeighbourSearch {
  /** [count][dimensions], row-major. */
  readonly points: Float32Array
  /** [count][dimensions], row-major. */
  readonly queries: Float32Array
  readonly dimensions: number
  readonly neighbours: number
  /** The queries are the first of the points, and no point is its own neighbour. */
  readonly leaveOut: boolean
  readonly threads: number
}

export interface RunningSearch {
  /** [queries][neighbours]: each query's nearest points, the nearest first, −1 after the last if there are too few. */
  readonly found: Promise<Int32Array>
  /** Ends the search early; what it has found is of no use then. */
  readonly stop: () => void
}

export interface LoadedBinding {
  readonly binding: NativeBinding
  /** Where the addon comes from: "prebuilt for linux-x64", "built here". */
  readonly origin: string
  /** Why the places before it were passed over. */
  readonly refusals: readonly string[]
}

const platform = `${process.platform}-${process.arch}`

/**
 * The first of them that loads is taken. Only a package has prebuilds/; it was tested with the package's other files, so
 * it comes first. A clone has none: what was built there last is what runs.
 */
const places = [
  { origin: `prebuilt for ${platform}`, folder: join(packageRoot, 'prebuilds', platform) },
  { origin: 'built here', folder: join(packageRoot, 'native', 'build') },
] as const

/** @throws BindingError when no addon is here, or none fits this machine. */
export function loadNativeBinding(): LoadedBinding {
  const load = createRequire(import.meta.url)
  const refusals: string[] = []
  for (const { origin, folder } of places) {
    try {
      return { binding: load(join(folder, 'eigenae.node')) as NativeBinding, origin, refusals }
    } catch (error) {
      refusals.push(`${origin}: ${reasonOf(error)}`)
    }
  }
  throw new BindingError(refusals)
}

const absent = 'there is none'

export class BindingError extends Error {
  /** What the loader said of the addons that are here, but do not fit; none where there is no addon at all. */
  readonly found: readonly string[]

  constructor(refusals: readonly string[]) {
    super(refusals.join('; '))
    this.found = refusals.filter((refusal) => !refusal.endsWith(absent))
  }
}

function reasonOf(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
  return line.startsWith('Cannot find module') ? absent : line
}
