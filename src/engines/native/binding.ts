import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../../package-root.js'
import type { CoreSpec, CoreTrainer } from '../core/core.js'

/** What native/addon/addon.cc exports. JavaScript validates before it calls; the addon trusts what it is given. */
export interface NativeBinding {
  /** The instruction set the kernels run on here: "avx512", "avx2", "x86-64", "neon" … */
  readonly instructionSet: string
  readonly createTrainer: (spec: CoreSpec) => CoreTrainer
  /** GFLOP/s of multiply-adds on registers alone, on so many threads at once. */
  readonly measurePeak: (threads: number) => Promise<number>
}

const addonFile = join(packageRoot, 'native', 'build', 'eigenae.node')

/** @throws the loader's own error when the addon was not built here or does not fit this machine. */
export function loadNativeBinding(): NativeBinding {
  return createRequire(import.meta.url)(addonFile) as NativeBinding
}

/** Where the addon that is loaded is from, for people. */
export function addonOrigin(): string {
  return 'built here'
}
