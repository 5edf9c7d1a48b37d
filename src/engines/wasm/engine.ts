import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenaeError } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import { coreSpec, trainerOn } from '../core/trainer.js'
import type { Engine } from '../engine.js'
import { WasmTrainer } from './trainer.js'

/** The compiled modules, the fastest first. */
const variants = [
  { variant: 'relaxed-simd', file: 'eigenae-relaxed.wasm' },
  { variant: 'simd128', file: 'eigenae.wasm' },
] as const

export type WasmVariant = (typeof variants)[number]['variant']

/** The C++ core as WebAssembly: runs wherever Node does. @throws where this Node cannot. */
export async function wasmEngine(only?: WasmVariant): Promise<Engine> {
  const { variant, module } = await compileFirst(only)
  return {
    name: 'wasm',
    device: 'wasm',
    variant,
    createTrainer: async (spec, images) => {
      const trainer = new WasmTrainer(module, coreSpec(spec))
      return trainerOn({ trainer, control: trainer.control }, spec, images)
    },
  }
}

async function compileFirst(only?: WasmVariant) {
  for (const { variant, file } of variants) {
    if (only !== undefined && only !== variant) continue
    const bytes = await readFile(join(packageRoot, 'native', 'wasm', file))
    if (WebAssembly.validate(bytes)) return { variant, module: await WebAssembly.compile(bytes) }
  }
  throw new EigenaeError({
    what: `this Node (${process.version}) does not run the WebAssembly that the core was compiled to`,
    where: 'device wasm',
    mend: 'It needs SIMD and threads: use an unmodified Node of version 20 or later.',
  })
}
