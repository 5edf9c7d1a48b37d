import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EigenaeError } from '../errors.js'
import type { Binding } from './binding.js'
import { wheelLibraries } from './installation.js'
import type { Tools } from './prerequisites.js'
import { runTool } from './tool.js'

/**
 * Builds the addon of `@tensorflow/tfjs-node-gpu` for the libraries of one wheel, from the package's unchanged sources.
 * The addon looks for them in that folder alone; links to it would hide CUDA's libraries from TensorFlow.
 */
export async function buildAddon(
  tools: Tools,
  binding: Binding,
  tensorflow: string,
  addon: string,
  signal: AbortSignal,
): Promise<void> {
  const work = await mkdtemp(join(dirname(addon), 'work-'))
  try {
    const built = join(work, basename(addon))
    await compile(tools, binding, tensorflow, built, signal)
    await rename(built, addon)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function compile(
  { compiler, nodeHeaders }: Tools,
  { sources: folder }: Binding,
  tensorflow: string,
  addon: string,
  signal: AbortSignal,
): Promise<void> {
  const sources = (await readdir(folder)).filter((name) => name.endsWith('.cc'))
  const ending = await runTool(
    compiler,
    [
      ...['-shared', '-fPIC', '-O2', '-std=c++17', '-DNAPI_VERSION=8'],
      ...[`-I${nodeHeaders}`, `-I${join(tensorflow, 'include')}`],
      ...sources.map((name) => join(folder, name)),
      ...[`-L${tensorflow}`, ...wheelLibraries.map((library) => `-l:${library}`), `-Wl,-rpath,${tensorflow}`],
      ...['-o', addon],
    ],
    { signal },
  )
  if (ending.code !== 0) {
    throw new EigenaeError({
      problem: `${compiler} could not build the addon`,
      subject: folder,
      details: ending.stderr.trim().split('\n').slice(0, 8),
      hint: 'It needs g++ 9 or newer, or a compiler like it; CXX names another.',
    })
  }
}
