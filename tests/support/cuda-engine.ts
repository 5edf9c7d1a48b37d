import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'
import { openCard, openCudaCore, planFor } from '../../src/engines/cuda/engine.js'
import type { Engine, TrainerSpec } from '../../src/engines/engine.js'
import { findNvrtc } from '../../src/setup/nvrtc.js'
import { smallSpec } from './engines.js'
import { describeUnless } from './requirements.js'

const standInScript = join(import.meta.dirname, '..', '..', 'native', 'cuda', 'emulation', 'compile.mjs')

/** A machine on which the CUDA core runs. */
export interface CudaMachine {
  /** The variables that its processes need. */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Returns a machine whose driver runs kernels on the processor, or why there is none. scripts/gpu-check.sh sets
 * EIGENAE_CUDA_TESTS=card, for the machine's own card.
 */
export function cudaMachine(): CudaMachine | { readonly missing: string } {
  if (process.env.EIGENAE_CUDA_TESTS === 'card') return { environment: {} }
  try {
    findNvrtc()
  } catch (error) {
    return { missing: (error as Error).message }
  }
  const named = process.env.EIGENAE_LIBCUDA
  if (named) return { environment: { EIGENAE_LIBCUDA: named } }
  if (!existsSync(standInScript)) return { missing: `${standInScript} is not there` }
  const built = spawnSync(process.execPath, [standInScript, 'stand-in'], { encoding: 'utf8' })
  if (built.status !== 0) return { missing: `the stand-in for libcuda.so.1 was not built: ${built.stderr}` }
  return { environment: { EIGENAE_LIBCUDA: join(built.stdout.trim(), 'libcuda.so.1') } }
}

/** Describes tests of a machine with the CUDA core. Without one, they are skipped with the reason, and fail in CI. */
export function describeWithCuda(name: string, tests: (machine: CudaMachine) => void): void {
  const machine = cudaMachine()
  if ('missing' in machine) describeUnless(machine.missing, name, () => {})
  else describe(name, () => tests(machine))
}

/**
 * Opens the core's engine in this process, which then has this machine's environment. `fits` returns whether it trains a
 * network.
 */
export async function openCoreOn({
  environment,
}: CudaMachine): Promise<{ engine: Engine; fits: (spec: TrainerSpec) => boolean }> {
  Object.assign(process.env, environment)
  const opening = await openCudaCore(smallSpec)
  if (opening.kind === 'unfit') throw new Error(opening.reason)
  const open = await openCard()
  return { engine: opening.engine, fits: (spec) => planFor(open, spec).refusal === null }
}
