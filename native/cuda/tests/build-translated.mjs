// Compiles the program of emulate.cc with the kernels as NVRTC compiled them (emulation/translate-ptx.mjs), unless it is
// there.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { nativeFolder } from '../../../scripts/building/sources.mjs'
import { compileProgram } from '../emulation/compile.mjs'
import { macrosOf } from './build.mjs'

const cudaFolder = join(nativeFolder, 'cuda')
const kernelFolder = join(cudaFolder, 'kernel')
const sharedFolders = ['formulas', 'kernels'].map((folder) => join(nativeFolder, folder))
const replacement = join(cudaFolder, 'tests/translated')

/**
 * Returns the path of the program for a shape and the PTX that was compiled for it.
 * @param {import('./build.d.mts').Shape} shape
 * @param {string} ptx
 * @param {{ sanitizer?: boolean }} options `sanitizer` adds ThreadSanitizer
 * @returns {string}
 */
export function buildTranslated(shape, ptx, { sanitizer = false } = {}) {
  return compileProgram(ptx, {
    sources: [
      join(cudaFolder, 'tests/emulate.cc'),
      ...['core/optimizer_step.cc', 'formulas/tape.cc'].map((name) => join(nativeFolder, name)),
    ],
    headers: [join(replacement, 'core.cu'), ...[kernelFolder, ...sharedFolders].flatMap(headersIn)],
    flags: [
      ...macrosOf(shape).map((macro) => `-D${macro}`),
      `-I${replacement}`,
      `-I${kernelFolder}`,
      `-I${cudaFolder}`,
      `-I${nativeFolder}`,
    ],
    sanitizer: sanitizer ? 'thread' : undefined,
  })
}

function headersIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.h'))
    .sort()
    .map((file) => join(folder, file))
}
