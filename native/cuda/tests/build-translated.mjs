// Compiles the program of emulate.cc with the kernels as NVRTC compiled them (emulation/translate-ptx.mjs), unless it is
// there.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { nativeFolder } from '../../../scripts/building/sources.mjs'
import { compileProgram } from '../emulation/compile.mjs'
import { macrosOf } from './build.mjs'

const cudaFolder = join(nativeFolder, 'cuda')
const kernelFolder = join(cudaFolder, 'kernel')
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
    sources: [join(cudaFolder, 'tests/emulate.cc'), join(nativeFolder, 'core/optimizer_step.cc')],
    headers: [join(replacement, 'core.cu'), ...headersIn(kernelFolder)],
    flags: [
      ...macrosOf(shape).map((macro) => `-D${macro}`),
      `-I${replacement}`,
      `-I${kernelFolder}`,
      `-I${cudaFolder}`,
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
