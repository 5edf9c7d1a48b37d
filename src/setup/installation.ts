import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { eigenaeCommand } from '../text/eigenae-command.js'
import { requireTrustedPaths, type TrustedSoftware } from './trust.js'

export const installationKinds = ['cpu', 'cuda'] as const
export type InstallationKind = (typeof installationKinds)[number]

/** TensorFlow's two shared libraries inside its Python wheel, which the addon is linked with. */
export const wheelLibraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const

const installationSchema = z.object({
  format: z.literal(1),
  /** TensorFlow's version. */
  version: z.string(),
  kind: z.enum(installationKinds),
  /** The folder `tensorflow` of the unpacked wheel, with its libraries and headers. */
  tensorflow: z.string(),
  addon: z.string(),
  addonSha256: z.string(),
  /** Size in bytes of each of the wheel's libraries, to detect another wheel. */
  libraries: z.record(z.string(), z.int()),
  /** Version of the package `@tensorflow/tfjs-node-gpu` that the addon is built from. */
  binding: z.string(),
  /** The package's dist/proto/api_pb.js. */
  protocol: z.string(),
  /** Time of the build, ISO 8601. */
  built: z.string(),
})

/** The result of `eigenae setup tensorflow`: a wheel's libraries and the addon that was built for them. */
export type TensorflowInstallation = Readonly<z.output<typeof installationSchema>>

/** Returns the folder of all installations, one folder each: `<version>-<kind>`. */
export function installationRoot(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache')
  return resolve(environment.EIGENAE_TENSORFLOW_DIR || join(cache, 'eigenae', 'tensorflow'))
}

export function installationFolder(version: string, kind: InstallationKind): string {
  return join(installationRoot(), `${version}-${kind}`)
}

/** Returns the file whose presence means that the installation beside it is complete. */
export function installationFile(folder: string): string {
  return join(folder, 'installation.json')
}

/**
 * Returns the newest installation of a kind. An installation for cuda also serves the CPU.
 * @throws EigenaeError if there is none, or if it was damaged since it was built.
 */
export function findInstallation(kind: InstallationKind): TensorflowInstallation {
  const kinds: readonly InstallationKind[] = kind === 'cpu' ? ['cpu', 'cuda'] : ['cuda']
  for (const each of kinds) {
    const [newest] = readyVersions(each)
    if (newest !== undefined) return readInstallation(newest, each)
  }
  throw new EigenaeError({
    problem: 'TensorFlow is not set up',
    subject: installationRoot(),
    hint: `Run: ${eigenaeCommand(`setup tensorflow --${kind}`)}`,
  })
}

/** Returns the library folders of CUDA's wheels beside TensorFlow's; none in an installation for the CPU. */
export function cudaLibraryFolders({ tensorflow }: TensorflowInstallation): readonly string[] {
  const nvidia = join(tensorflow, '..', 'nvidia')
  return namesIn(nvidia)
    .map((name) => join(nvidia, name, 'lib'))
    .filter((folder) => namesIn(folder).length > 0)
}

function readyVersions(kind: InstallationKind): readonly string[] {
  return namesIn(installationRoot())
    .filter((name) => name.endsWith(`-${kind}`) && isFile(installationFile(join(installationRoot(), name))))
    .map((name) => name.slice(0, -kind.length - 1))
    .sort((a, b) => compareVersions(b, a))
}

/**
 * @throws EigenaeError if the installation has changed since it was built, or if another user can change it: its libraries
 * are code that this process runs.
 */
export function readInstallation(version: string, kind: InstallationKind): TensorflowInstallation {
  const folder = installationFolder(version, kind)
  requireTrusted(installationRoot(), folder, installationFile(folder))
  const installation = parseInstallation(folder)
  if (installation !== null) requireTrusted(...loadedPaths(installation))
  const damage = installation === null ? 'its installation.json cannot be read' : damageOf(installation)
  if (installation !== null && damage === null) return installation
  throw new EigenaeError({
    problem: `TensorFlow is set up, but ${damage}`,
    subject: folder,
    hint: `Run: ${eigenaeCommand(`setup tensorflow --${kind} --version ${version}`)}`,
  })
}

/** Returns the files that are loaded, and the folders on their paths. */
function loadedPaths({ tensorflow, addon, protocol }: TensorflowInstallation): readonly string[] {
  const libraries = wheelLibraries.map((library) => join(tensorflow, library))
  return [dirname(tensorflow), tensorflow, ...libraries, addon, dirname(protocol), protocol]
}

/** @throws EigenaeError if another user owns one of the paths or can change it. */
export function requireTrusted(...paths: readonly string[]): void {
  requireTrustedPaths(tensorflow, paths)
}

const tensorflow: TrustedSoftware = {
  name: 'TensorFlow',
  ownFolder: `Name a folder of your own with EIGENAE_TENSORFLOW_DIR, then run: ${eigenaeCommand('setup tensorflow')}`,
}

function parseInstallation(folder: string): TensorflowInstallation | null {
  try {
    return installationSchema.parse(JSON.parse(readFileSync(installationFile(folder), 'utf8')))
  } catch {
    return null
  }
}

function damageOf(installation: TensorflowInstallation): string | null {
  const { tensorflow, addon, addonSha256, libraries, protocol } = installation
  for (const library of wheelLibraries) {
    const bytes = sizeOf(join(tensorflow, library))
    if (bytes === null) return `its wheel is gone (no ${join(tensorflow, library)})`
    if (bytes !== libraries[library]) return `its addon was built for another wheel (${library} has changed)`
  }
  if (sizeOf(protocol) === null) return `its package is gone (no ${protocol})`
  if (sizeOf(addon) === null) return `its addon is gone (no ${addon})`
  if (fileSha256(addon) !== addonSha256) return `its addon is damaged (${addon})`
  return null
}

/** Returns a negative number if version `a` is older than `b`, numerically: "525.60.13" is older than "550.54". */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** Returns the file's size in bytes; null if there is no file. */
export function sizeOf(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.size ?? null
}

export function fileSha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
