import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { wheelLibraries } from '../engines/tensorflow/installation.js'
import { EigenaeError } from '../errors.js'
import type { Tools } from './prerequisites.js'
import { runTool } from './tool.js'

/**
 * Builds the addon of `@tensorflow/tfjs-node-gpu` for the libraries of one wheel, from the package's unchanged sources.
 * The addon looks for them in that folder alone; links to it would hide CUDA's libraries from TensorFlow.
 */
export async function buildAddon(
  { compiler, binding, nodeHeaders }: Tools,
  tensorflow: string,
  addon: string,
  signal: AbortSignal,
): Promise<void> {
  const sources = (await readdir(binding.folder)).filter((name) => name.endsWith('.cc'))
  const unfinished = `${addon}.unfinished`
  const ending = await runTool(
    compiler,
    [
      ...['-shared', '-fPIC', '-O2', '-std=c++17', '-DNAPI_VERSION=8'],
      ...[`-I${nodeHeaders}`, `-I${join(tensorflow, 'include')}`],
      ...sources.map((name) => join(binding.folder, name)),
      ...[`-L${tensorflow}`, ...wheelLibraries.map((library) => `-l:${library}`), `-Wl,-rpath,${tensorflow}`],
      ...['-o', unfinished],
    ],
    { signal },
  )
  if (ending.code !== 0) {
    throw new EigenaeError({
      what: `${compiler} could not build the addon`,
      where: binding.folder,
      details: ending.stderr.trim().split('\n').slice(0, 8),
      mend: 'It needs g++ 9 or newer, or a compiler like it; CXX names another.',
    })
  }
  await rename(unfinished, addon)
}
