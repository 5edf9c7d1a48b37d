import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EigenaeError } from '../errors.js'
import { wheelLibraries } from './installation.js'
import type { Tools } from './prerequisites.js'
import { runTool, type SetupObserver, type ToolResult } from './tool.js'

/** The unpacked package `@tensorflow/tfjs-node-gpu`, whose sources the addon is built from. */
export interface AddonPackage {
  readonly version: string
  /** Folder with the C++ sources of the addon. */
  readonly sources: string
  /** TensorFlow's messages as JavaScript, generated from api.proto. */
  readonly protocol: string
}

export interface PackageJob {
  readonly folder: string
  readonly observer: SetupObserver
  readonly signal: AbortSignal
}

/** A package of npm's registry. `integrity` is the checksum of its archive in the notation of npm's lock files. */
interface PinnedPackage {
  readonly name: string
  readonly version: string
  readonly integrity: string
}

const addonPackage: PinnedPackage = {
  name: '@tensorflow/tfjs-node-gpu',
  version: '4.22.0',
  integrity:
    'sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==',
}

/** The library that the package's generated messages import. */
const messagesPackage: PinnedPackage = {
  name: 'google-protobuf',
  version: '3.21.4',
  integrity:
    'sha512-MnG7N936zcKTco4Jd2PX2U96Kf9PxygAPKBug+74LHzmHXmceN16MmRcdgZv+DGef/S9YvQAfRsNCn4cjf9yyQ==',
}

/**
 * Downloads the two packages into `folder`/package and unpacks them. They are not installed by npm: the addon package's
 * script would download a TensorFlow of 2022, and its dependencies have 300 MB.
 */
export async function fetchAddonPackage(job: PackageJob): Promise<AddonPackage> {
  const modules = join(job.folder, 'package', 'node_modules')
  await rm(modules, { recursive: true, force: true })
  for (const each of [addonPackage, messagesPackage])
    await unpack(job, await fetchArchive(job, each), modules, each)
  const folder = join(modules, addonPackage.name)
  return {
    version: addonPackage.version,
    sources: join(folder, 'binding'),
    protocol: join(folder, 'dist/proto/api_pb.js'),
  }
}

/** Returns the package's archive in `folder`/package, downloading it unless an earlier call has. */
async function fetchArchive(
  { folder, observer, signal }: PackageJob,
  wanted: PinnedPackage,
): Promise<string> {
  const { name, version, integrity } = wanted
  const archive = join(folder, 'package', `${name.replace(/^@(.*)\//, '$1-')}-${version}.tgz`)
  if ((await integrityOf(archive)) === integrity) return archive
  observer.step(`download ${name}`)
  const work = await mkdtemp(join(folder, 'work-'))
  try {
    const spec = `${name}@${version}`
    const flags = ['--ignore-scripts', '--loglevel', 'error', '--pack-destination', work]
    const packed = await runTool('npm', ['pack', ...flags, spec], { signal })
    if (packed.code !== 0) throw npmError(spec, packed)
    const [packedName] = await readdir(work)
    const found = await integrityOf(join(work, packedName!))
    if (found !== integrity) throw wrongChecksum(spec, integrity, found)
    await mkdir(dirname(archive), { recursive: true })
    await rename(join(work, packedName!), archive)
    return archive
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Returns the checksum in npm's notation, "sha512-…"; null if there is no such file. */
async function integrityOf(file: string): Promise<string | null> {
  const bytes = await readFile(file).catch(() => null)
  return bytes && `sha512-${createHash('sha512').update(bytes).digest('base64')}`
}

async function unpack(
  { signal }: PackageJob,
  archive: string,
  modules: string,
  { name }: PinnedPackage,
): Promise<void> {
  const target = join(modules, name)
  await mkdir(target, { recursive: true })
  const args = ['-xzf', archive, '-C', target, '--strip-components=1', '--no-same-owner']
  const { code, stderr } = await runTool('tar', args, { signal })
  if (code === 0) return
  if (/No space left|quota exceeded/i.test(stderr)) throw fullDisk(target)
  throw toolError('tar failed', archive, stderr)
}

function wrongChecksum(spec: string, integrity: string, found: string | null): EigenaeError {
  return new EigenaeError({
    problem: 'the downloaded package does not have its known checksum',
    subject: spec,
    details: [`Expected ${integrity}`, `Got      ${found}`],
    hint: "The registry serves a different file. Choose another with npm's `registry` setting.",
  })
}

function npmError(spec: string, { stderr }: ToolResult): EigenaeError {
  if (/ENOSPC|EDQUOT/.test(stderr)) return fullDisk(spec)
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|CERT|network/i.test(stderr)) {
    const hint = "Check the network (npm's settings proxy and registry), then run this again."
    return toolError("npm's registry cannot be reached", spec, stderr, hint)
  }
  return toolError('npm failed', spec, stderr)
}

function fullDisk(subject: string): EigenaeError {
  const hint = 'Free some space, or name a folder on another disk with EIGENAE_TENSORFLOW_DIR.'
  return toolError('no space left on the disk', subject, '', hint)
}

function toolError(problem: string, subject: string, stderr: string, hint?: string): EigenaeError {
  const details = stderr.trim().split('\n').slice(0, 4)
  return new EigenaeError({
    problem,
    subject,
    ...(stderr !== '' && { details }),
    ...(hint !== undefined && { hint }),
  })
}

/** Builds the addon for the libraries of one wheel, from the package's unchanged sources. */
export async function buildAddon(
  tools: Tools,
  { sources }: AddonPackage,
  tensorflow: string,
  addon: string,
  signal: AbortSignal,
): Promise<void> {
  const work = await mkdtemp(join(dirname(addon), 'work-'))
  try {
    const built = join(work, basename(addon))
    await compile(tools, sources, tensorflow, built, signal)
    await rename(built, addon)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The addon loads TensorFlow from the wheel's real folder: through a link, TensorFlow would not find CUDA's libraries. */
async function compile(
  { compiler, nodeHeaders }: Tools,
  folder: string,
  tensorflow: string,
  addon: string,
  signal: AbortSignal,
): Promise<void> {
  const sources = (await readdir(folder)).filter((name) => name.endsWith('.cc'))
  const { code, stderr } = await runTool(
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
  if (code === 0) return
  throw new EigenaeError({
    problem: `${compiler} cannot build the addon`,
    subject: folder,
    details: stderr.trim().split('\n').slice(0, 8),
    hint: 'Use g++ 9 or newer, or a compatible compiler named by CXX.',
  })
}
