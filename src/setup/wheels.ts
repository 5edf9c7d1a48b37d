import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenaeError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { type InstallationKind, sizeOf } from './installation.js'
import { pinnedWheelsOf } from './pinned-wheels.js'
import { download, type PipJob, type Requirement, requirementOf, unpack } from './pip.js'
import type { SetupObserver } from './tool.js'

export interface WheelJob {
  readonly kind: InstallationKind
  readonly version: string
  readonly python: string
  /** Gets `site-packages/` once everything is unpacked, and `downloads/` before, which a later call reuses. */
  readonly folder: string
  readonly observer: SetupObserver
  readonly signal: AbortSignal
}

/**
 * Downloads TensorFlow's wheel, and with kind cuda the wheels of CUDA's libraries, and unpacks them side by side as pip
 * would: TensorFlow looks for CUDA's libraries in ../nvidia of its own folder. Packages that only Python needs are left out.
 */
export async function unpackWheels(job: WheelJob): Promise<void> {
  const { kind, version, folder, observer } = job
  const pinned = pinnedWheelsOf(version, kind)?.map(requirementOf) ?? null
  const tensorflow = pinned?.[0] ?? { specifier: `${unpinnedName(kind)}==${version}`, sha256: null }
  await makeFolder(join(folder, 'downloads'))
  const work = await mkdtemp(join(folder, 'work-'))
  try {
    const site = join(work, 'site-packages')
    const temporary = join(work, 'temporary')
    await mkdir(temporary)
    const downloads = join(folder, 'downloads')
    const pipJob = { ...job, temporary, site, downloads, folderVariable: 'EIGENAE_TENSORFLOW_DIR' }
    await download(pipJob, tensorflow)
    observer.step(`unpack ${tensorflow.specifier.replace('==', ' ')}`)
    await unpack(pipJob, [tensorflow])
    if (kind === 'cuda') await addCuda(pipJob, pinned?.slice(1) ?? (await cudaRequirements(pipJob)))
    await rename(site, join(folder, 'site-packages'))
    await rm(join(folder, 'downloads'), { recursive: true })
  } finally {
    await rm(work, { recursive: true, force: true })
    // Fails, as intended, if the folder holds a complete download.
    await rmdir(join(folder, 'downloads')).catch(() => {})
  }
}

/** There is no tensorflow-cpu for arm64; tensorflow itself has no CUDA there. */
function unpinnedName(kind: InstallationKind): string {
  return kind === 'cpu' && process.arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow'
}

async function addCuda(job: PipJob & WheelJob, requirements: readonly Requirement[]): Promise<void> {
  for (const [index, requirement] of requirements.entries())
    await download(job, requirement, `, ${index + 1} of ${requirements.length}`)
  job.observer.step("unpack CUDA's libraries")
  // In one call, because all of these share the folder "nvidia" and pip does not add to an existing folder.
  await unpack(job, requirements)
}

/** Reads the requirements of the unpacked TensorFlow's extra "and-cuda": "nvidia-cublas-cu12<13.0,>=12.5". */
async function cudaRequirements({ site, version }: PipJob & WheelJob): Promise<readonly Requirement[]> {
  const metadata = await readFile(join(site, `tensorflow-${version}.dist-info`, 'METADATA'), 'utf8')
  const requirements = [...metadata.matchAll(/^Requires-Dist: (nvidia-[^;]+?)\s*;.*and-cuda/gm)]
  if (requirements.length > 0)
    return requirements.map(([, each]) => ({ specifier: each!.replaceAll(/[\s()]/g, ''), sha256: null }))
  throw new EigenaeError({
    problem: `TensorFlow ${version} does not name its CUDA libraries`,
    hint: 'Use a version that does (--version): 2.15.1 to 2.21.0.',
  })
}

/** Returns whether an unpacked wheel has the given version and all its files, each with its original size. */
export async function isWheelComplete(site: string, version: string): Promise<boolean> {
  try {
    const records = (await readdir(site)).filter((name) => name.endsWith('.dist-info'))
    const texts = await Promise.all(records.map((name) => readFile(join(site, name, 'RECORD'), 'utf8')))
    const hasVersion = records.some(
      (name) => /^tensorflow(_cpu)?-(.*)\.dist-info$/.exec(name)?.[2] === version,
    )
    return hasVersion && texts.flatMap((text) => text.split('\n')).every((line) => hasFile(site, line))
  } catch {
    return false
  }
}

/** Checks a line of RECORD: path, digest, size. Files outside the two packages are skipped: pip moves them. */
function hasFile(site: string, line: string): boolean {
  const [, path, size] = /^((?:tensorflow|nvidia)\/.*),[^,]*,(\d+)\s*$/.exec(line) ?? []
  return path === undefined || sizeOf(join(site, path)) === Number(size)
}
