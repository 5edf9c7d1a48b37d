import { mkdir, mkdtemp, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenaeError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import type { Software } from './installation.js'
import { fullDisk, runTool, type ToolResult } from './tools.js'

/** Receives the progress of a setup. */
export interface SetupObserver {
  /** A step of the setup begins. */
  readonly step: (text: string) => void
  /** Bytes of the current step's download. */
  readonly progress: (done: number, total: number) => void
}

/** Downloads into a folder. */
export interface DownloadJob {
  readonly folder: string
  readonly observer: SetupObserver
  readonly signal: AbortSignal
}

/** The folder gets `site-packages/` once everything is unpacked, and `downloads/` before, which a later call reuses. */
interface WheelJob extends DownloadJob {
  readonly software: Software
  readonly python: string
}

/** A wheel in pip's notation. */
export interface Requirement {
  /** "nvidia-cublas-cu12<13.0,>=12.5" */
  readonly specifier: string
  /** The digest of the wheel's file; null if unknown, which only happens with --no-checksums. */
  readonly sha256: string | null
}

/** Calls of pip that belong together. */
interface PipJob extends WheelJob {
  /** Where wheels are downloaded to. */
  readonly downloads: string
  /** Pip's temporary files, which are large. */
  readonly temporary: string
  /** Where wheels are unpacked to. */
  readonly site: string
}

/**
 * Downloads a wheel, and the wheels of CUDA's libraries that it needs, and unpacks them side by side as pip would.
 * Packages that only Python needs are left out.
 * @param librariesOf returns CUDA's libraries, from the folder of the unpacked wheel
 */
export async function unpackWheels(
  job: WheelJob,
  wheel: Requirement,
  librariesOf: (site: string) => Promise<readonly Requirement[]>,
): Promise<void> {
  const { folder, observer } = job
  const downloads = join(folder, 'downloads')
  await makeFolder(downloads)
  const work = await mkdtemp(join(folder, 'work-'))
  const pip = { ...job, downloads, site: join(work, 'site-packages'), temporary: join(work, 'temporary') }
  try {
    await mkdir(pip.temporary)
    await download(pip, wheel)
    observer.step(`unpack ${wheel.specifier.replace('==', ' ')}`)
    await unpack(pip, [wheel])
    const libraries = await librariesOf(pip.site)
    for (const [index, library] of libraries.entries())
      await download(pip, library, `, ${index + 1} of ${libraries.length}`)
    if (libraries.length > 0) {
      observer.step("unpack CUDA's libraries")
      // In one call, because all of these share the folder "nvidia" and pip does not add to an existing folder.
      await unpack(pip, libraries)
    }
    await rename(pip.site, join(folder, 'site-packages'))
    await rm(downloads, { recursive: true })
  } finally {
    await rm(work, { recursive: true, force: true })
    // Fails, as intended, if the folder holds a complete download.
    await rmdir(downloads).catch(() => {})
  }
}

/**
 * The wheels are downloaded for this Python, whatever Python runs pip: their Python code is never used, and the libraries
 * in them are the same for all. TensorFlow has had wheels for 3.11 since 2.12.
 */
const wheelPython = '3.11'
const wheelOnly = ['--no-deps', '--only-binary=:all:', '--python-version', wheelPython]

/** Downloads a wheel, unless an earlier call has downloaded it completely. */
async function download(job: PipJob, wheel: Requirement, position = ''): Promise<void> {
  job.observer.step(`download ${wheel.specifier.replace(/[<>=!~].*/, '')}${position}`)
  const watch = watchDownload(job)
  try {
    await runPip(job, ['download', '--retries', '2', '--dest', job.downloads], [wheel], watch.onLine)
  } finally {
    watch.stop()
  }
}

/** Unpacks downloaded wheels into `site`, which must not hold anything of the same name. */
function unpack(job: PipJob, wheels: readonly Requirement[]): Promise<void> {
  const from = ['--no-index', '--find-links', job.downloads]
  return runPip(job, ['install', '--no-compile', ...from, '--target', job.site], wheels)
}

/** Reports a download's progress: pip prints the size at the start, and the received part is in its temporary folder. */
function watchDownload({ temporary, observer }: PipJob) {
  let total = 0
  let measuring = false
  const measure = async () => {
    if (measuring || total === 0) return
    measuring = true
    const done = await largestFile(temporary)
    measuring = false
    if (total > 0) observer.progress(Math.min(done, total), total)
  }
  const timer = setInterval(measure, 250)
  return {
    onLine: (line: string) => {
      const size = /Downloading .*\.whl \(([\d.]+) (kB|MB|GB)\)/.exec(line)
      if (size === null) return
      total = Number(size[1]) * { kB: 1e3, MB: 1e6, GB: 1e9 }[size[2] as 'kB' | 'MB' | 'GB']
      observer.progress(0, total)
    },
    stop: () => {
      clearInterval(timer)
      total = 0
    },
  }
}

async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const sizes = names.map((name) => stat(join(folder, name)).catch(() => ({ size: 0 })))
  return Math.max(0, ...(await Promise.all(sizes)).map(({ size }) => size))
}

/** Runs pip with the user's own settings (mirror, proxy, certificates), except for those that move files elsewhere. */
async function runPip(
  job: PipJob,
  command: readonly string[],
  wheels: readonly Requirement[],
  onLine?: (line: string) => void,
): Promise<void> {
  const environment = {
    ...process.env,
    TMPDIR: job.temporary,
    PIP_USER: '0',
    PIP_REQUIRE_VIRTUALENV: '0',
    PIP_ROOT_USER_ACTION: 'ignore',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
  }
  const args = ['-m', 'pip', ...command, ...wheelOnly, ...(await wheelArguments(job, wheels))]
  const result = await runTool(job.python, args, { environment, signal: job.signal, onLine })
  if (result.code !== 0) throw pipError(wheels[0]!.specifier, job.software, result)
}

/** Pip takes hashes only from a file. It then refuses every wheel with another hash or without one. */
async function wheelArguments(job: PipJob, wheels: readonly Requirement[]): Promise<readonly string[]> {
  if (wheels.some(({ sha256 }) => sha256 === null)) return wheels.map(({ specifier }) => specifier)
  const file = join(job.temporary, 'requirements.txt')
  const lines = wheels.map(({ specifier, sha256 }) => `${specifier} --hash=sha256:${sha256}\n`)
  await writeFile(file, lines.join(''))
  return ['--require-hashes', '--requirement', file]
}

const networkFailure =
  /connection broken|NewConnectionError|Max retries|timed? ?out|ConnectionError|ProxyError|SSLError/i

function pipError(wheel: string, software: Software, { stderr, signal }: ToolResult): EigenaeError {
  const lastLines = (count: number) => stderr.trim().split('\n').slice(-count)
  if (/No space left on device|Errno 28|Disk quota exceeded/.test(stderr))
    return fullDisk(software, wheel, ' Complete downloads are kept.')
  if (networkFailure.test(stderr))
    return new EigenaeError({
      problem: 'the package index cannot be reached',
      subject: wheel,
      details: lastLines(1),
      hint: 'Check the network (HTTPS_PROXY for a proxy, PIP_INDEX_URL for a mirror), then run this again. Complete downloads are kept.',
    })
  if (/DO NOT MATCH THE HASHES/.test(stderr))
    return new EigenaeError({
      problem: 'the downloaded wheel does not have its known checksum',
      subject: wheel,
      details: stderr.split('\n').flatMap((line) => /^\s*(Expected sha256 .*|Got .*)$/.exec(line)?.[1] ?? []),
      hint: 'The package index serves a different file. Choose another with PIP_INDEX_URL.',
    })
  const versions = /from versions: (?!none)([^)]*)/.exec(stderr)?.[1]
  // Without release candidates, such as "2.21.0rc1".
  const releases = versions?.split(', ').filter((version) => /^[\d.]+$/.test(version))
  if (releases !== undefined || /No matching distribution/.test(stderr))
    return new EigenaeError({
      problem: `there is no wheel of ${wheel} for this machine (${process.platform} ${process.arch}, Python ${wheelPython})`,
      subject: '--version',
      ...(releases && { hint: `Use one of ${releases.join(', ')}.` }),
    })
  return new EigenaeError({
    problem: signal === null ? 'pip failed' : `pip was ended by ${signal}`,
    subject: wheel,
    details: lastLines(8),
  })
}
