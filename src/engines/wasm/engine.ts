import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EigenaeError } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import { coreBackedTrainer } from '../core.js'
import type { Engine } from '../engine.js'
import { wasmTrainer } from './trainer.js'

/** The compiled modules, the fastest first. Node 20 has no relaxed SIMD; Node 22 and 24 run the first one. */
const variants = [
  { variant: 'relaxed-simd', file: 'eigenae-relaxed.wasm' },
  { variant: 'simd128', file: 'eigenae.wasm' },
] as const

type WasmVariant = (typeof variants)[number]['variant']

/** Returns the engine that runs the C++ core as WebAssembly. @throws EigenaeError if this Node cannot run it. */
export async function wasmEngine(): Promise<Engine> {
  const { variant, module, refusals } = await compiledModule()
  return {
    name: 'wasm',
    device: 'wasm',
    variant,
    origin: 'comes with the package',
    refusals,
    createTrainer: async (spec, images) => coreBackedTrainer(wasmTrainer(module, spec, images), spec, images),
  }
}

/** Returns the variant that wasmEngine would take, without compiling it, or null if this Node can run none. */
export function wasmVariant(): WasmVariant | null {
  try {
    return firstValid().variant
  } catch {
    return null
  }
}

/** @throws EigenaeError if this Node cannot run the core. */
export async function compiledModule() {
  const { bytes, ...facts } = firstValid()
  return { module: await WebAssembly.compile(bytes), ...facts }
}

function firstValid() {
  const refusals: string[] = []
  for (const { variant, file } of variants) {
    const bytes = readFileSync(join(packageRoot, 'native', 'wasm', file))
    if (WebAssembly.validate(bytes)) return { variant, bytes, refusals }
    refusals.push(`${variant}: Node ${process.version} does not run it`)
  }
  throw new EigenaeError({
    problem: `this Node (${process.version}) does not run the WebAssembly that the core was compiled to`,
    subject: 'device wasm',
    hint: 'It needs SIMD and threads: use an unmodified Node of version 20 or later.',
  })
}
