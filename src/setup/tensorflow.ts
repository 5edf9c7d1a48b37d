import { existsSync } from 'node:fs'
import { readdir, realpath, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tensorflowEngine } from '../engines/tensorflow/engine.js'
import type { TensorflowDevice } from '../engines/tensorflow/errors.js'
import { checkTrainingStep } from '../engines/tensorflow/self-check.js'
import { withFileErrors } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { jsonText, writeAtomically } from '../files/write.js'
import { buildAddon } from './addon.js'
import { type Binding, bringBinding } from './binding.js'
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
import type { Observer } from './observer.js'
import { findTools, type Tools } from './prerequisites.js'
import { isWheelWhole, unpackWheels } from './wheel.js'

export interface SetupJob {
  readonly kind: InstallationKind
  readonly version: string
  /** The device that the finished installation is checked on. */
  readonly device: TensorflowDevice
  readonly python: string | undefined
  /** Told what the setup works with, when all that it needs is there. */
  readonly onTools: (summary: string) => void
  readonly observer: Observer
  readonly signal: AbortSignal
}

export interface SetupResult {
  readonly folder: string
  /** Whether it was there already; it has been checked again then. */
  readonly already: boolean
}

/**
 * Leaves TensorFlow's libraries and the addon for them in a folder of their own. What is there and sound is kept: a
 * call after a broken one goes on with what that one had finished.
 * @throws EigenaeError that says what is missing or failed; the signal's reason once it is aborted.
 */
export async function setUpTensorflow(job: SetupJob): Promise<SetupResult> {
  const { kind, version, python } = job
  const folder = installationFolder(version, kind)
  // Also for pip, npm and the compiler: no other user may write into the folder.
  process.umask(process.umask() | 0o022)
  requireTrusted(installationRoot(), folder)
  const sound = soundInstallation(version, kind)
  const failure = sound === null ? null : await failureOf(job, sound)
  if (sound !== null && failure === null) return { folder, already: true }
  const tools = await findTools(kind, python).catch((error) => {
    throw failure ?? error
  })
  job.onTools(tools.summary)
  await makeFolder(folder)
  const lock = `${folder}.lock`
  await acquireLock(lock)
  try {
    await setUpIn(folder, tools, job)
  } finally {
    // Fails where anything is worth keeping.
    await rmdir(folder).catch(() => {})
    await releaseLock(lock)
  }
  return { folder, already: false }
}

async function setUpIn(folder: string, tools: Tools, job: SetupJob): Promise<void> {
  const { version, observer, signal } = job
  await withFileErrors('tidy', folder, () => keepWhole(folder, version))
  const site = join(folder, 'site-packages')
  if (!existsSync(site)) await unpackWheels({ ...job, python: tools.python, folder })
  const tensorflow = await realpath(join(site, 'tensorflow'))
  const addon = join(folder, 'tfjs_binding.node')
  const binding = await bringBinding({ folder, observer, signal })
  observer.step(`build the addon from @tensorflow/tfjs-node-gpu ${binding.version}`)
  await buildAddon(tools, binding, tensorflow, addon, signal)
  const installation = describe(job, binding, tensorflow, addon)
  await check(job, installation)
  await writeAtomically(installationFile(folder), jsonText(installation))
}

/** Nobody finds an installation before it has given the right numbers. */
async function check({ device, observer, signal }: SetupJob, installation: TensorflowInstallation) {
  observer.step(`check ${device}`)
  await checkTrainingStep(tensorflowEngine(device, { signal }, installation), signal)
  signal.throwIfAborted()
}

/** What keeps an installation from computing: null where it does. All of it but its wheel is made again then. */
async function failureOf(job: SetupJob, installation: TensorflowInstallation): Promise<unknown> {
  try {
    await check(job, installation)
    return null
  } catch (error) {
    job.signal.throwIfAborted()
    return error
  }
}

function soundInstallation(version: string, kind: InstallationKind): TensorflowInstallation | null {
  try {
    return readInstallation(version, kind)
  } catch {
    return null
  }
}

/** Removes the files that an earlier call left unfinished, and a wheel that is not whole any more. */
async function keepWhole(folder: string, version: string): Promise<void> {
  await rm(installationFile(folder), { force: true })
  const wheelIsWhole = await isWheelWhole(join(folder, 'site-packages'), version)
  for (const name of await readdir(folder).catch(() => [])) {
    // An archive in package/ is compared with its checksum before it is used.
    const keep = name === 'package' || name === (wheelIsWhole ? 'site-packages' : 'downloads')
    if (!keep) await rm(join(folder, name), { recursive: true, force: true })
  }
}

function describe({ kind, version }: SetupJob, binding: Binding, tensorflow: string, addon: string) {
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
    binding: binding.version,
    protocol: binding.protocol,
    built: new Date().toISOString(),
  } as const satisfies TensorflowInstallation
}
