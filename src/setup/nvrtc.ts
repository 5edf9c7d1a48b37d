import { readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { eigenaeCommand } from '../text/command-line.js'
import {
  installationFile,
  readInstallationFile,
  requireTrusted,
  rootOf,
  type Software,
  sizeOf,
} from './installation.js'
import { type SetupJob, type SetupResult, setUp } from './set-up.js'
import { findPip, findSpace, requireAll } from './tools.js'
import { type Requirement, unpackWheels } from './wheels.js'

// NVRTC is NVIDIA's compiler of kernels as a library. The CUDA core needs it for networks whose kernel does not come
// with the package.

export const nvrtcSoftware: Software = {
  name: 'NVRTC',
  command: 'setup cuda',
  folder: 'cuda',
  variable: 'EIGENAE_CUDA_DIR',
}

/** NVRTC on this machine. */
export interface Nvrtc {
  /** "12.0.140"; null for a library that EIGENAE_NVRTC names. */
  readonly version: string | null
  /** The path of libnvrtc.so.12. */
  readonly library: string
}

interface NvrtcWheel extends Requirement {
  readonly version: string
}

/**
 * The oldest NVRTC for the processor. A PTX file of CUDA 12.0 is loaded by every driver from 525 on; a newer NVRTC writes
 * PTX that needs a newer driver. There is no wheel of 12.0 for arm64.
 */
const wheels: Readonly<Record<string, NvrtcWheel>> = {
  x64: {
    version: '12.0.140',
    specifier: 'nvidia-cuda-nvrtc-cu12==12.0.140',
    sha256: '8e94e991d85c422de4da87bdc7472fdc1364367bd4aace7000b559cd33122071',
  },
  arm64: {
    version: '12.3.107',
    specifier: 'nvidia-cuda-nvrtc-cu12==12.3.107',
    sha256: '3971fca7d5eb4b102dabcae377959bbdb281b77d40361839f3ce254a1b0e6fcc',
  },
}

/** Returns NVRTC's wheel for this machine; undefined if there is none. */
function wheelHere(): NvrtcWheel | undefined {
  return process.platform === 'linux' ? wheels[process.arch] : undefined
}

/** Returns the folder of everything that belongs to the CUDA core: NVRTC, and the kernels that it has compiled. */
export function cudaFolder(): string {
  return rootOf(nvrtcSoftware)
}

const libraryName = 'libnvrtc.so.12'

const recordSchema = z.object({
  format: z.literal(1),
  version: z.string(),
  /** Size in bytes of each library in the folder. */
  libraries: z.record(z.string(), z.int()),
})

/**
 * Returns the library that EIGENAE_NVRTC names, or else the one that `eigenae setup cuda` has installed.
 * @throws EigenaeError if there is none, if it is damaged, or if another user can change it.
 */
export function findNvrtc(): Nvrtc {
  const named = process.env.EIGENAE_NVRTC
  if (named) return namedLibrary(resolve(named))
  const wheel = wheelHere()
  if (wheel === undefined)
    throw new EigenaeError({
      problem: `there is no compiler of kernels for this machine (${process.platform} ${process.arch})`,
      subject: 'NVRTC',
    })
  return installedLibrary(folderOf(wheel), wheel.version)
}

function namedLibrary(library: string): Nvrtc {
  if (sizeOf(library) !== null) return { version: null, library }
  throw new EigenaeError({
    problem: `there is no file ${library}`,
    subject: 'EIGENAE_NVRTC',
    hint: `Name a ${libraryName}, or unset it and run: ${eigenaeCommand('setup cuda')}`,
  })
}

function installedLibrary(folder: string, version: string): Nvrtc {
  requireTrusted(nvrtcSoftware, [cudaFolder(), folder, installationFile(folder)])
  const { libraries = {} } = readInstallationFile(folder, recordSchema) ?? {}
  if (!(libraryName in libraries)) throw unusable('is not set up', cudaFolder())
  const files = Object.entries(libraries).map(([name, bytes]) => ({ file: join(folder, name), bytes }))
  requireTrusted(
    nvrtcSoftware,
    files.map(({ file }) => file),
  )
  const damaged = files.find(({ file, bytes }) => sizeOf(file) !== bytes)
  if (damaged !== undefined) throw unusable('is damaged', damaged.file)
  return { version, library: join(folder, libraryName) }
}

function unusable(problem: string, subject: string): EigenaeError {
  const hint = `Run: ${eigenaeCommand('setup cuda')}`
  return new EigenaeError({ problem: `the compiler of kernels (NVRTC) ${problem}`, subject, hint })
}

function folderOf({ version }: NvrtcWheel): string {
  return join(cudaFolder(), `nvrtc-${version}`)
}

/** Bytes on the disk: the libraries take 62 MB, beside the wheel of 23 MB while it is unpacked. */
const diskBytes = 0.2e9

/** Installs NVRTC, as `setUp` does. */
export async function setUpNvrtc(job: SetupJob<Nvrtc>): Promise<SetupResult> {
  const { observer, signal } = job
  const wheel = wheelHere()
  if (wheel === undefined)
    throw new EigenaeError({
      problem: `NVIDIA has no NVRTC for this machine (${process.platform} ${process.arch})`,
      subject: 'setup cuda',
      hint: 'Train on the processor: --device cpu',
    })
  const { version } = wheel
  const folder = folderOf(wheel)
  const steps = {
    software: nvrtcSoftware,
    folder,
    find: findNvrtc,
    findTools: (python: string) =>
      requireAll(nvrtcSoftware, [findPip(python), findSpace(nvrtcSoftware, diskBytes)]),
    reusable: async () => ['downloads'],
    install: async (python: string) => {
      await unpackWheels({ software: nvrtcSoftware, python, folder, observer, signal }, wheel, async () => [])
      const libraries = await moveLibraries(folder)
      return {
        installed: { version, library: join(folder, libraryName) },
        record: { format: 1, version, libraries },
      }
    },
  }
  return setUp(steps, job)
}

/** Moves the libraries out of the unpacked wheel. Returns the size of each. */
async function moveLibraries(folder: string): Promise<Readonly<Record<string, number>>> {
  const site = join(folder, 'site-packages')
  const unpacked = join(site, 'nvidia', 'cuda_nvrtc', 'lib')
  const names = (await readdir(unpacked)).filter((name) => name.includes('.so'))
  for (const name of names) await rename(join(unpacked, name), join(folder, name))
  await rm(site, { recursive: true })
  return Object.fromEntries(names.map((name) => [name, sizeOf(join(folder, name))!]))
}
