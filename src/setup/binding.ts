import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EigenaeError } from '../errors.js'
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

/** A package of npm's registry, by the checksum of its archive as npm's lock files have it. */
interface PinnedPackage {
  readonly name: string
  readonly version: string
  readonly integrity: string
}

const bindingPackage: PinnedPackage = {
  name: '@tensorflow/tfjs-node-gpu',
  version: '4.22.0',
  integrity:
    'sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==',
}

/** What its messages are generated for. */
const messagesPackage: PinnedPackage = {
  name: 'google-protobuf',
  version: '3.21.4',
  integrity:
    'sha512-MnG7N936zcKTco4Jd2PX2U96Kf9PxygAPKBug+74LHzmHXmceN16MmRcdgZv+DGef/S9YvQAfRsNCn4cjf9yyQ==',
}

/**
 * Puts the package, and the one that its messages need, into `folder`/package. Only their archives are taken: a script
 * of the package would download a TensorFlow of 2022, and what it depends on are 300 MB.
 */
export async function bringBinding(job: BindingJob): Promise<Binding> {
  const modules = join(job.folder, 'package', 'node_modules')
  await rm(modules, { recursive: true, force: true })
  for (const each of [bindingPackage, messagesPackage])
    await unpack(job, await archiveOf(job, each), modules, each)
  const folder = join(modules, bindingPackage.name)
  return {
    version: bindingPackage.version,
    sources: join(folder, 'binding'),
    protocol: join(folder, 'dist/proto/api_pb.js'),
  }
}

/** The package's archive in `folder`/package, which an earlier call may have left there. */
async function archiveOf({ folder, observer, signal }: BindingJob, wanted: PinnedPackage): Promise<string> {
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

/** As npm writes it: "sha512-…"; null if there is no such file. */
async function integrityOf(file: string): Promise<string | null> {
  const bytes = await readFile(file).catch(() => null)
  return bytes && `sha512-${createHash('sha512').update(bytes).digest('base64')}`
}

async function unpack(
  { signal }: BindingJob,
  archive: string,
  modules: string,
  { name }: PinnedPackage,
): Promise<void> {
  const to = join(modules, name)
  await mkdir(to, { recursive: true })
  const args = ['-xzf', archive, '-C', to, '--strip-components=1', '--no-same-owner']
  const { code, stderr } = await runTool('tar', args, { signal })
  if (code === 0) return
  if (/No space left|quota exceeded/i.test(stderr)) throw fullDisk(to)
  throw failure('tar failed', archive, stderr)
}

function wrongChecksum(spec: string, integrity: string, found: string | null): EigenaeError {
  const details = [`Expected ${integrity}`, `Got      ${found}`]
  return new EigenaeError({
    problem: 'the downloaded package does not have the checksum that it should have',
    subject: spec,
    details,
    hint: "npm's registry, or the mirror that npm's setting registry names, serves another file: use another one.",
  })
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
    problem: what,
    subject: where,
    ...(said !== '' && { details }),
    ...(hint !== undefined && { hint }),
  })
}
