import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { EigenaeError, fileError, hasCode } from '../errors.js'
import type { Observer } from './observer.js'
import { runTool, type ToolEnding } from './tool.js'

/** What an installation has of `@tensorflow/tfjs-node-gpu`. */
export interface Binding {
  readonly version: string
  /** Folder with the C++ sources of the addon. */
  readonly sources: string
  /** TensorFlow's messages as JavaScript, generated from api.proto. */
  readonly protocol: string
}

export interface BindingJob {
  readonly folder: string
  readonly observer: Observer
  readonly signal: AbortSignal
}

const packageName = '@tensorflow/tfjs-node-gpu'
const packageVersion = '4.22.0'
const messages = 'google-protobuf'
const partsOfPackage = ['binding', 'dist/proto', 'package.json']

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}

/** Folder of a package as `from` sees it; null where it is not installed. */
function installedPackage(name: string, from: string): string | null {
  try {
    return dirname(createRequire(from).resolve(`${name}/package.json`))
  } catch {
    return null
  }
}

/** Whether it came along with this project. npm leaves it out where its install script fails, as it does on many machines. */
export function hasBinding(): boolean {
  return installedPackage(packageName, import.meta.url) !== null
}

/**
 * Puts the package, and the one that its messages need, into `folder`/package: from this project, or else from npm's
 * registry. None of its scripts run: they would download a TensorFlow of 2022.
 */
export async function bringBinding(job: BindingJob): Promise<Binding> {
  const modules = join(job.folder, 'package', 'node_modules')
  const folder = join(modules, packageName)
  const here = installedPackage(packageName, import.meta.url)
  if (here === null) {
    job.observer.step(`download ${packageName}`)
    await download(job, `${packageName}@${packageVersion}`, folder)
    const { dependencies } = manifestOf(folder)
    await download(job, `${messages}@${dependencies[messages]}`, join(modules, messages))
  } else {
    for (const part of partsOfPackage) await copy(join(here, part), join(folder, part))
    await copy(installedPackage(messages, join(here, 'package.json'))!, join(modules, messages))
  }
  return {
    version: manifestOf(folder).version,
    sources: join(folder, 'binding'),
    protocol: join(folder, 'dist/proto/api_pb.js'),
  }
}

async function copy(from: string, to: string): Promise<void> {
  try {
    await cp(from, to, { recursive: true })
  } catch (error) {
    throw hasCode(error, 'ENOSPC', 'EDQUOT') ? fullDisk(to) : fileError('write', to, error)
  }
}

function manifestOf(folder: string): Manifest {
  return createRequire(import.meta.url)(join(folder, 'package.json')) as Manifest
}

/** The package alone, without what it depends on: that is 300 MB. */
async function download({ folder, signal }: BindingJob, spec: string, to: string): Promise<void> {
  const work = await mkdtemp(join(folder, 'work-'))
  try {
    const flags = ['--ignore-scripts', '--loglevel', 'error', '--pack-destination', work]
    const packed = await runTool('npm', ['pack', ...flags, spec], { signal })
    if (packed.code !== 0) throw npmError(spec, packed)
    await mkdir(to, { recursive: true })
    const [archive] = await readdir(work)
    const unpacked = await runTool('tar', ['-xzf', join(work, archive!), '-C', to, '--strip-components=1'], {
      signal,
    })
    if (unpacked.code !== 0) throw failure('tar failed', spec, unpacked.stderr)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function npmError(spec: string, { stderr }: ToolEnding): EigenaeError {
  if (/ENOSPC|EDQUOT/.test(stderr)) return fullDisk(spec)
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|CERT|network/i.test(stderr)) {
    const hint = "Check the network (npm's settings proxy and registry), then run this again."
    return failure("npm's registry cannot be reached", spec, stderr, hint)
  }
  return failure('npm failed', spec, stderr)
}

function fullDisk(where: string): EigenaeError {
  const hint = 'Free some, or name a folder on another disk by EIGENAE_TENSORFLOW_DIR.'
  return failure('no space left on the disk', where, '', hint)
}

function failure(what: string, where: string, said: string, hint?: string): EigenaeError {
  const details = said.trim().split('\n').slice(0, 4)
  return new EigenaeError({
    what,
    where,
    ...(said !== '' && { details }),
    ...(hint !== undefined && { hint }),
  })
}
