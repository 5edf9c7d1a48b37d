// npm's install script. The package includes the native engine for common platforms; if that loads, nothing is compiled. On
// other platforms, and in a clone, it is built if there is a compiler. Without a compiler, training uses WebAssembly.
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
