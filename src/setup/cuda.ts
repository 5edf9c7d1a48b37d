import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenaeError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { jsonText } from '../files/json.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { syncTree, writeDurably } from '../files/write.js'
import { sizeOf } from './installation.js'
import {
  cudaFolder,
  findNvrtc,
  type Nvrtc,
  type NvrtcRecord,
  nvrtcFolder,
  nvrtcRecordFile,
  nvrtcWheel,
  requireTrustedNvrtc,
} from './nvrtc.js'
import type { PinnedWheel } from './pinned-wheels.js'
import { download, requirementOf, unpack } from './pip.js'
import { type Finding, findPip, freeBytes, gigabytes, missingTools } from './prerequisites.js'
import type { SetupObserver } from './tool.js'

/** Bytes on the disk: the libraries take 62 MB, beside the wheel of 23 MB while it is unpacked. */
export const nvrtcDiskBytes = 0.2e9

export interface CudaSetupJob {
  /** Python with pip; undefined for python3. */
  readonly python: string | undefined
  /** Throws unless the compiler compiles the kernel. */
  readonly check: (nvrtc: Nvrtc) => Promise<void>
  /** Called before anything is downloaded. */
  readonly onTools: (summary: string) => void
  readonly observer: SetupObserver
  readonly signal: AbortSignal
}

export interface CudaSetupResult {
  readonly folder: string
  /** Whether it was installed before; it was then only checked again. */
  readonly already: boolean
}

/**
 * Installs NVRTC in a folder of its own. An installation that fails the check is installed again.
 * @throws EigenaeError with what is missing or what failed; the signal's reason if it is aborted.
 */
export async function setUpCuda(job: CudaSetupJob): Promise<CudaSetupResult> {
  const wheel = nvrtcWheel()
  if (wheel === null) throw noWheel()
  const folder = nvrtcFolder(wheel.version)
  // Also for pip's files: no other user may write into the folder.
  process.umask(process.umask() | 0o022)
  requireTrustedNvrtc([cudaFolder(), folder])
  if (await isReady(job)) return { folder, already: true }
  const python = job.python ?? 'python3'
  job.onTools(await findTools(python))
  await makeFolder(cudaFolder())
  const lock = `${folder}.lock`
  await acquireLock(lock)
  try {
    await install(wheel, folder, python, job)
  } finally {
    await releaseLock(lock)
  }
  return { folder, already: false }
}

function noWheel(): EigenaeError {
  return new EigenaeError({
    problem: `NVIDIA has no NVRTC for this machine (${process.platform} ${process.arch})`,
    subject: 'setup cuda',
    hint: 'Train on the processor: --device cpu',
  })
}

async function isReady({ check, signal }: CudaSetupJob): Promise<boolean> {
  try {
    await check(findNvrtc())
    return true
  } catch {
    signal.throwIfAborted()
    return false
  }
}

/** The libraries are moved into place, then checked, and recorded last: only recorded libraries are found. */
async function install(wheel: PinnedWheel, folder: string, python: string, job: CudaSetupJob): Promise<void> {
  const { observer, signal } = job
  await removeLeftovers(folder)
  const work = await mkdtemp(join(cudaFolder(), 'work-'))
  try {
    const [downloads, temporary, site] = ['downloads', 'temporary', 'site'].map((name) => join(work, name))
    for (const each of [downloads, temporary]) await mkdir(each!)
    const pip = { python, downloads: downloads!, temporary: temporary!, site: site! }
    const pipJob = { ...pip, folderVariable: 'EIGENAE_CUDA_DIR', observer, signal }
    await download(pipJob, requirementOf(wheel))
    observer.step(`unpack ${wheel.name} ${wheel.version}`)
    await unpack(pipJob, [requirementOf(wheel)])
    await rename(join(site!, 'nvidia', 'cuda_nvrtc', 'lib'), folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  await record(wheel, folder)
  try {
    await job.check(findNvrtc())
  } catch (error) {
    await rm(nvrtcRecordFile(folder), { force: true })
    throw error
  }
}

/** Removes a damaged installation, and the work folders of calls that were killed. */
async function removeLeftovers(folder: string): Promise<void> {
  const works = (await readdir(cudaFolder())).filter((name) => name.startsWith('work-'))
  for (const each of [folder, ...works.map((name) => join(cudaFolder(), name))])
    await rm(each, { recursive: true, force: true })
}

async function record({ version }: PinnedWheel, folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.includes('.so'))
  const libraries = Object.fromEntries(names.map((name) => [name, sizeOf(join(folder, name))!]))
  const content: NvrtcRecord = { format: 1, version, libraries }
  await syncTree(folder)
  await writeDurably(nvrtcRecordFile(folder), jsonText(content))
}

/** @throws EigenaeError with everything that is missing. Returns the versions found, one line. */
async function findTools(python: string): Promise<string> {
  const [pip, space] = await Promise.all([findPip(python), findSpace()])
  if ('found' in pip && 'found' in space) return `${pip.found} · ${space.found}`
  throw missingTools(
    'NVRTC',
    [pip, space].flatMap((each) => ('missing' in each ? [each] : [])),
  )
}

async function findSpace(): Promise<Finding<string>> {
  const free = await freeBytes(cudaFolder())
  if (free >= nvrtcDiskBytes) return { found: `${gigabytes(free)} free` }
  return {
    missing: `${cudaFolder()} has ${gigabytes(free)} free, and ${gigabytes(nvrtcDiskBytes)} are needed: free some space, or name another folder with EIGENAE_CUDA_DIR`,
  }
}
