import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenaeError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { type InstallationKind, sizeOf } from './installation.js'
import type { Observer } from './observer.js'
import { type PinnedWheel, pinnedWheelsOf } from './pins.js'
import { download, type PipJob, type Requirement, unpack } from './pip.js'

export interface WheelJob {
  readonly kind: InstallationKind
  readonly version: string
  readonly python: string
  /** Gets `site-packages/`, when all is unpacked; `downloads/` before that, which a later call goes on from. */
  readonly folder: string
  readonly observer: Observer
  readonly signal: AbortSignal
}

/**
 * Downloads TensorFlow's wheel, and the wheels with CUDA's libraries that it asks for, and unpacks them side by side, as
 * pip would: CUDA's come to lie in ../nvidia, seen from TensorFlow's real folder. None of what only Python needs comes along.
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
    const whole = { ...job, temporary, site, downloads: join(folder, 'downloads') }
    await download(whole, tensorflow)
    observer.step(`unpack ${tensorflow.specifier.replace('==', ' ')}`)
    await unpack(whole, [tensorflow])
    if (kind === 'cuda') await addCuda(whole, pinned?.slice(1) ?? (await cudaRequirements(whole)))
    await rename(site, join(folder, 'site-packages'))
    await rm(join(folder, 'downloads'), { recursive: true })
  } finally {
    await rm(work, { recursive: true, force: true })
    // Fails, as it shall, where something whole is in it.
    await rmdir(join(folder, 'downloads')).catch(() => {})
  }
}

function requirementOf({ name, version, sha256 }: PinnedWheel): Requirement {
  return { specifier: `${name}==${version}`, sha256 }
}

/** There is no tensorflow-cpu for arm64, where tensorflow itself has no CUDA. */
function unpinnedName(kind: InstallationKind): string {
  return kind === 'cpu' && process.arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow'
}

async function addCuda(job: PipJob & WheelJob, requirements: readonly Requirement[]): Promise<void> {
  for (const [index, requirement] of requirements.entries())
    await download(job, requirement, `, ${index + 1} of ${requirements.length}`)
  job.observer.step("unpack CUDA's libraries")
  // In one call: pip does not add to a folder that is there, and all of these share "nvidia".
  await unpack(job, requirements)
}

/** What the unpacked TensorFlow asks for with its extra "and-cuda", as pip names it: "nvidia-cublas-cu12<13.0,>=12.5". */
async function cudaRequirements({ site, version }: PipJob & WheelJob): Promise<readonly Requirement[]> {
  const metadata = await readFile(join(site, `tensorflow-${version}.dist-info`, 'METADATA'), 'utf8')
  const requirements = [...metadata.matchAll(/^Requires-Dist: (nvidia-[^;]+?)\s*;.*and-cuda/gm)]
  if (requirements.length > 0)
    return requirements.map(([, each]) => ({ specifier: each!.replaceAll(/[\s()]/g, ''), sha256: null }))
  throw new EigenaeError({
    problem: `TensorFlow ${version} does not name its CUDA libraries`,
    hint: 'Use a version that does (--version): 2.15.1 to 2.21.0 do.',
  })
}

/** Whether an unpacked wheel is of this version and has every file that it came with, by their sizes. */
export async function isWheelWhole(site: string, version: string): Promise<boolean> {
  try {
    const records = (await readdir(site)).filter((name) => name.endsWith('.dist-info'))
    const texts = await Promise.all(records.map((name) => readFile(join(site, name, 'RECORD'), 'utf8')))
    const ofVersion = records.some(
      (name) => /^tensorflow(_cpu)?-(.*)\.dist-info$/.exec(name)?.[2] === version,
    )
    return ofVersion && texts.flatMap((text) => text.split('\n')).every((line) => isThere(site, line))
  } catch {
    return false
  }
}

/** A line of RECORD: path, digest, size. Pip moves what lies outside the two packages. */
function isThere(site: string, line: string): boolean {
  const [, path, size] = /^((?:tensorflow|nvidia)\/.*),[^,]*,(\d+)\s*$/.exec(line) ?? []
  return path === undefined || sizeOf(join(site, path)) === Number(size)
}
