// Loaded into the command line: a checkpoint cannot be put in its place, because the kernel has no memory left.
import { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { rename } = promises

promises.rename = async (from, to) => {
  if (to.endsWith('state.safetensors'))
    throw Object.assign(new Error('ENOMEM: not enough memory, rename'), { code: 'ENOMEM' })
  return rename(from, to)
}
syncBuiltinESMExports()
