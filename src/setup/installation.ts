import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { EigenaeError } from '../errors.js'
import { commandLine, eigenaeCommand } from '../text/command-line.js'

/** Software that `eigenae setup` installs, each version in a folder of its own below the root. */
export interface Software {
  readonly name: string
  /** The command that installs it, without "eigenae". */
  readonly command: string
  /** The folder of the root in the user's cache, and the variable that names another root. */
  readonly folder: string
  readonly variable: string
}

export const tensorflow: Software = {
  name: 'TensorFlow',
  command: 'setup tensorflow',
  folder: 'tensorflow',
  variable: 'EIGENAE_TENSORFLOW_DIR',
}

export function rootOf({ folder, variable }: Software): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return resolve(process.env[variable] || join(cache, 'eigenae', folder))
}

/** Returns the file whose presence means that the installation beside it is complete. */
export function installationFile(folder: string): string {
  return join(folder, 'installation.json')
}

/** Returns the content of a folder's installation.json; null if it is missing or damaged. */
export function readInstallationFile<T>(folder: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(readFileSync(installationFile(folder), 'utf8')))
  } catch {
    return null
  }
}

/**
 * Throws if one of the paths, or a folder or link on the way to it, belongs to a user other than this one and root, or if
 * others can write to it: what lies there is code that this process runs. Sticky folders, such as /tmp, are accepted: a
 * user cannot replace the files of another user there. Missing paths are skipped.
 */
export function requireTrusted(software: Software, paths: readonly string[]): void {
  const user = process.getuid?.()
  if (user === undefined) return
  const own = paths.map((path) => resolve(path))
  const all = new Set<string>()
  for (const path of own) addWithParents(path, all)
  const untrusted = (path: string, reason: string, hint: string) =>
    new EigenaeError({ problem: `${software.name} is not loaded from here: ${reason}`, subject: path, hint })
  for (const path of all) {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) continue
    const isOwn = own.includes(path)
    if (![user, 0, ...(isOwn ? [] : unmappedUsers())].includes(found.uid)) {
      const command = eigenaeCommand(software.command)
      const hint = `Name a folder of your own with ${software.variable}, then run: ${command}`
      throw untrusted(path, 'it belongs to another user', hint)
    }
    const sticky = found.isDirectory() && (found.mode & 0o1000) !== 0
    if ((found.mode & 0o022) !== 0 && !sticky && !found.isSymbolicLink()) {
      const command = commandLine(['chmod', ...(isOwn ? ['-R'] : []), 'go-w', path])
      throw untrusted(path, 'other users can write to it', `Run: ${command}`)
    }
  }
}

/** Adds the folders on the way to a path, then the path itself, then the same for the target of a link. */
function addWithParents(path: string, all: Set<string>): void {
  if (all.has(path)) return
  const parent = dirname(path)
  if (parent !== path) addWithParents(parent, all)
  all.add(path)
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    addWithParents(resolve(realpathSync(parent), readlinkSync(path)), all)
}

/**
 * Returns the number that stands for all users whom a user namespace does not map. In a container of such a namespace,
 * root owns the host's folders with this number.
 */
function unmappedUsers(): readonly number[] {
  try {
    const isHost = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
    return isHost ? [] : [Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'))]
  } catch {
    return []
  }
}

const installationKinds = ['cpu', 'cuda'] as const
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
  /** Time of the build, ISO 8601. */
  built: z.string(),
})

/** The result of `eigenae setup tensorflow`: a wheel's libraries and the addon that was built for them. */
export type TensorflowInstallation = Readonly<z.output<typeof installationSchema>>

export function installationFolder(version: string, kind: InstallationKind): string {
  return join(rootOf(tensorflow), `${version}-${kind}`)
}

/**
 * Returns the newest installation of a kind. An installation for cuda also serves the CPU.
 * @throws EigenaeError if there is none, or if it was damaged since it was built.
 */
export function findInstallation(kind: InstallationKind): TensorflowInstallation {
  const root = rootOf(tensorflow)
  for (const each of kind === 'cpu' ? installationKinds : (['cuda'] as const)) {
    const [newest] = namesIn(root)
      .filter((name) => name.endsWith(`-${each}`) && existsSync(installationFile(join(root, name))))
      .map((name) => name.slice(0, -each.length - 1))
      .sort((a, b) => compareVersions(b, a))
    if (newest !== undefined) return readInstallation(newest, each)
  }
  throw new EigenaeError({
    problem: 'TensorFlow is not set up',
    subject: root,
    hint: `Run: ${eigenaeCommand(`setup tensorflow --${kind}`)}`,
  })
}

/**
 * @throws EigenaeError if the installation has changed since it was built, or if another user can change it: its libraries
 * are code that this process runs.
 */
export function readInstallation(version: string, kind: InstallationKind): TensorflowInstallation {
  const folder = installationFolder(version, kind)
  requireTrusted(tensorflow, [rootOf(tensorflow), folder, installationFile(folder)])
  const installation = readInstallationFile(folder, installationSchema)
  if (installation !== null) requireTrusted(tensorflow, loadedPaths(installation))
  const damage = installation === null ? 'its installation.json cannot be read' : damageOf(installation)
  if (installation !== null && damage === null) return installation
  throw new EigenaeError({
    problem: `TensorFlow is set up, but ${damage}`,
    subject: folder,
    hint: `Run: ${eigenaeCommand(`setup tensorflow --${kind} --version ${version}`)}`,
  })
}

/** Returns the files that are loaded, and the folders on their paths. */
function loadedPaths({ tensorflow, addon }: TensorflowInstallation): readonly string[] {
  const libraries = wheelLibraries.map((library) => join(tensorflow, library))
  return [dirname(tensorflow), tensorflow, ...libraries, addon]
}

function damageOf(installation: TensorflowInstallation): string | null {
  const { tensorflow, addon, addonSha256, libraries } = installation
  for (const library of wheelLibraries) {
    const bytes = sizeOf(join(tensorflow, library))
    if (bytes === null) return `its wheel is gone (no ${join(tensorflow, library)})`
    if (bytes !== libraries[library]) return `its addon was built for another wheel (${library} has changed)`
  }
  if (sizeOf(addon) === null) return `its addon is gone (no ${addon})`
  if (fileSha256(addon) !== addonSha256) return `its addon is damaged (${addon})`
  return null
}

/** Returns the library folders of CUDA's wheels beside TensorFlow's; none in an installation for the CPU. */
export function cudaLibraryFolders({ tensorflow }: TensorflowInstallation): readonly string[] {
  const nvidia = join(tensorflow, '..', 'nvidia')
  return namesIn(nvidia)
    .map((name) => join(nvidia, name, 'lib'))
    .filter((folder) => namesIn(folder).length > 0)
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

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
