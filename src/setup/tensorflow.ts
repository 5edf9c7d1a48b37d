import { existsSync } from 'node:fs'
import { readdir, realpath, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileErrors } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { jsonText } from '../files/json.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { syncTree, writeDurably } from '../files/write.js'
import { type AddonPackage, buildAddon, fetchAddonPackage } from './addon.js'
import {
  fileSha256,
  type InstallationKind,
  installationFile,
  installationFolder,
  installationRoot,
  readInstallation,
  requireTrusted,
  sizeOf,
  type TensorflowInstallation,
  wheelLibraries,
} from './installation.js'
import { findTools, type Tools } from './prerequisites.js'
import type { SetupObserver } from './tool.js'
import { isWheelComplete, unpackWheels } from './wheels.js'

export interface SetupJob {
  readonly kind: InstallationKind
  readonly version: string
  readonly python: string | undefined
  /** Throws unless the installation trains correctly. */
  readonly check: (installation: TensorflowInstallation) => Promise<void>
  /** Called with the versions of the tools once all are found, before anything is downloaded. */
  readonly onTools: (summary: string) => void
  readonly observer: SetupObserver
  readonly signal: AbortSignal
}

export interface SetupResult {
  readonly folder: string
  /** Whether it was installed before; it was then only checked again. */
  readonly already: boolean
}

/**
 * Installs TensorFlow's libraries and an addon for them in a folder of their own. Complete parts of an earlier, broken
 * setup are reused.
 * @throws EigenaeError with what is missing or what failed; the signal's reason if it is aborted.
 */
export async function setUpTensorflow(job: SetupJob): Promise<SetupResult> {
  const { kind, version, python } = job
  const folder = installationFolder(version, kind)
  // Also for the files of pip, npm and the compiler: no other user may write into the folder.
  process.umask(process.umask() | 0o022)
  requireTrusted(installationRoot(), folder)
  const existing = existingInstallation(version, kind)
  const failure = existing === null ? null : await failureOf(job, existing)
  if (existing !== null && failure === null) return { folder, already: true }
  const tools = await findTools(kind, python).catch((error) => {
    throw failure ?? error
  })
  job.onTools(tools.summary)
  await makeFolder(folder)
  const lock = `${folder}.lock`
  await acquireLock(lock)
  try {
    await install(folder, tools, job)
  } finally {
    // Fails, as intended, if the folder holds anything.
    await rmdir(folder).catch(() => {})
    await releaseLock(lock)
  }
  return { folder, already: false }
}

function existingInstallation(version: string, kind: InstallationKind): TensorflowInstallation | null {
  try {
    return readInstallation(version, kind)
  } catch {
    return null
  }
}

/** Returns why an installation does not train; null if it does. If it does not, all but its wheel is built again. */
async function failureOf(job: SetupJob, installation: TensorflowInstallation): Promise<unknown> {
  try {
    await job.check(installation)
    return null
  } catch (error) {
    job.signal.throwIfAborted()
    return error
  }
}

/** installation.json is written last: an installation is only found once it has passed the check. */
async function install(folder: string, tools: Tools, job: SetupJob): Promise<void> {
  const { version, observer, signal } = job
  await withFileErrors('clean up', folder, () => removeIncomplete(folder, version))
  const site = join(folder, 'site-packages')
  if (!existsSync(site)) await unpackWheels({ ...job, python: tools.python, folder })
  const tensorflow = await realpath(join(site, 'tensorflow'))
  const addon = join(folder, 'tfjs_binding.node')
  const addonPackage = await fetchAddonPackage({ folder, observer, signal })
  observer.step(`build the addon from @tensorflow/tfjs-node-gpu ${addonPackage.version}`)
  await buildAddon(tools, addonPackage, tensorflow, addon, signal)
  const installation = describe(job, addonPackage, tensorflow, addon)
  await job.check(installation)
  await syncTree(folder)
  await writeDurably(installationFile(folder), jsonText(installation))
}

/** Removes the files that an earlier call left unfinished, and a wheel that lacks files. */
async function removeIncomplete(folder: string, version: string): Promise<void> {
  await rm(installationFile(folder), { force: true })
  const wheelIsComplete = await isWheelComplete(join(folder, 'site-packages'), version)
  for (const name of await readdir(folder).catch(() => [])) {
    // An archive in package/ is compared with its checksum before it is used.
    const keep = name === 'package' || name === (wheelIsComplete ? 'site-packages' : 'downloads')
    if (!keep) await rm(join(folder, name), { recursive: true, force: true })
  }
}

function describe(
  { kind, version }: SetupJob,
  addonPackage: AddonPackage,
  tensorflow: string,
  addon: string,
) {
  return {
    format: 1,
    version,
    kind,
    tensorflow,
    addon,
    addonSha256: fileSha256(addon),
    libraries: Object.fromEntries(
      wheelLibraries.map((library) => [library, sizeOf(join(tensorflow, library))!]),
    ),
    binding: addonPackage.version,
    protocol: addonPackage.protocol,
    built: new Date().toISOString(),
  } as const satisfies TensorflowInstallation
}
