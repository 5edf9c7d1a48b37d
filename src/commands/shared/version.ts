import { nativeEngine } from '../../engines/native/engine.js'
import { wasmVariant } from '../../engines/wasm/engine.js'
import { EigenaeError, exitCode } from '../../errors.js'
import { version } from '../../runs/facts.js'

/**
 * "eigenae 0.1.0 (native avx2, built here; node 20.20.2)": the engine that runs on the processor here.
 * @throws a usage error where EIGENAE_ISA names none of the processor's instruction sets.
 */
export function versionLine(): string {
  return `eigenae ${version} (${processorEngine()}; node ${process.versions.node})`
}

function processorEngine(): string {
  try {
    const { name, variant, origin } = nativeEngine()
    return `${name} ${variant}, ${origin}`
  } catch (error) {
    if (!(error instanceof EigenaeError) || error.exit === exitCode.usage) throw error
    const variant = wasmVariant()
    return variant === null ? 'no engine runs here' : `wasm ${variant}`
  }
}
