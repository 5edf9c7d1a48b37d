// npm's install script. A package brings the native engine for the usual machines: where that loads, nothing is
// compiled. Elsewhere, and in a clone, it is built if there is a compiler; without one, WebAssembly trains.
import { createRequire } from 'node:module'

const prebuilt = `../prebuilds/${process.platform}-${process.arch}/eigenae.node`

function loads(addon) {
  try {
    createRequire(import.meta.url)(addon)
    return true
  } catch {
    return false
  }
}

if (!loads(prebuilt)) await import('./build-native.mjs')
