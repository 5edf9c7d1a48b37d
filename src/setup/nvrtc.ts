import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { eigenaeCommand } from '../text/eigenae-command.js'
import { sizeOf } from './installation.js'
import type { PinnedWheel } from './pinned-wheels.js'
import { requireTrustedPaths } from './trust.js'

// NVRTC is NVIDIA's compiler of kernels as a library. The CUDA core needs it for networks whose kernel does not come
// with the package.

/** NVRTC on this machine. */
export interface Nvrtc {
  /** "12.0.140"; null for a library that EIGENAE_NVRTC names. */
  readonly version: string | null
  /** The path of libnvrtc.so.12. */
  readonly library: string
}

/**
 * The oldest NVRTC for the processor. A PTX file of CUDA 12.0 is loaded by every driver from 525 on; a newer NVRTC writes
 * PTX that needs a newer driver. There is no wheel of 12.0 for arm64.
 */
const wheels: Readonly<Record<string, PinnedWheel>> = {
  x64: {
    name: 'nvidia-cuda-nvrtc-cu12',
    version: '12.0.140',
    sha256: '8e94e991d85c422de4da87bdc7472fdc1364367bd4aace7000b559cd33122071',
  },
  arm64: {
    name: 'nvidia-cuda-nvrtc-cu12',
    version: '12.3.107',
    sha256: '3971fca7d5eb4b102dabcae377959bbdb281b77d40361839f3ce254a1b0e6fcc',
  },
}

/** Returns NVRTC's wheel for this machine; null if there is none. */
export function nvrtcWheel(): PinnedWheel | null {
  return process.platform === 'linux' ? (wheels[process.arch] ?? null) : null
}

/** Returns the folder of everything that belongs to the CUDA core: NVRTC, and the kernels that it has compiled. */
export function cudaFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache')
  return resolve(environment.EIGENAE_CUDA_DIR || join(cache, 'eigenae', 'cuda'))
}

export function nvrtcFolder(version: string): string {
  return join(cudaFolder(), `nvrtc-${version}`)
}

export const nvrtcLibrary = 'libnvrtc.so.12'

const recordSchema = z.object({
  format: z.literal(1),
  version: z.string(),
  /** Size in bytes of each library in the folder. */
  libraries: z.record(z.string(), z.int()),
})

export type NvrtcRecord = Readonly<z.output<typeof recordSchema>>

/** Returns the file whose presence means that the libraries beside it are complete. */
export function nvrtcRecordFile(folder: string): string {
  return join(folder, 'installation.json')
}

/**
 * Returns the library that EIGENAE_NVRTC names, or else the one that `eigenae setup cuda` has installed.
 * @throws EigenaeError if there is none, if it is damaged, or if another user can change it.
 */
export function findNvrtc(): Nvrtc {
  const named = process.env.EIGENAE_NVRTC
  if (named) return namedLibrary(resolve(named))
  const version = nvrtcWheel()?.version
  if (version === undefined)
    throw new EigenaeError({
      problem: `there is no compiler of kernels for this machine (${process.platform} ${process.arch})`,
      subject: 'NVRTC',
    })
  const folder = nvrtcFolder(version)
  requireTrustedNvrtc([cudaFolder(), folder, nvrtcRecordFile(folder)])
  const record = readRecord(folder)
  if (record === null) throw notSetUp('the compiler of kernels (NVRTC) is not set up', cudaFolder())
  const files = Object.entries(record.libraries).map(([name, bytes]) => ({ file: join(folder, name), bytes }))
  requireTrustedNvrtc(files.map(({ file }) => file))
  const damaged = files.find(({ file, bytes }) => sizeOf(file) !== bytes)
  if (damaged !== undefined) throw notSetUp('the compiler of kernels (NVRTC) is damaged', damaged.file)
  return { version, library: join(folder, nvrtcLibrary) }
}

function namedLibrary(library: string): Nvrtc {
  if (sizeOf(library) !== null) return { version: null, library }
  throw new EigenaeError({
    problem: `there is no file ${library}`,
    subject: 'EIGENAE_NVRTC',
    hint: `Name a ${nvrtcLibrary}, or unset it and run: ${eigenaeCommand('setup cuda')}`,
  })
}

export function requireTrustedNvrtc(paths: readonly string[]): void {
  requireTrustedPaths(
    {
      name: 'NVRTC',
      ownFolder: `Name a folder of your own with EIGENAE_CUDA_DIR, then run: ${eigenaeCommand('setup cuda')}`,
    },
    paths,
  )
}

function readRecord(folder: string): NvrtcRecord | null {
  try {
    const record = recordSchema.parse(JSON.parse(readFileSync(nvrtcRecordFile(folder), 'utf8')))
    return nvrtcLibrary in record.libraries ? record : null
  } catch {
    return null
  }
}

function notSetUp(problem: string, subject: string): EigenaeError {
  return new EigenaeError({ problem, subject, hint: `Run: ${eigenaeCommand('setup cuda')}` })
}
