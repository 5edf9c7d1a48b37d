// Preloaded into the command line: renaming a checkpoint fails as if the kernel had no memory left.
import { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { rename } = promises

promises.rename = async (from, to) => {
  if (to.endsWith('state.safetensors'))
    throw Object.assign(new Error('ENOMEM: not enough memory, rename'), { code: 'ENOMEM' })
  return rename(from, to)
}
syncBuiltinESMExports()
