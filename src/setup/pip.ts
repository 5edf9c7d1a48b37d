import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenaeError } from '../errors.js'
import type { PinnedWheel } from './pinned-wheels.js'
import { runTool, type SetupObserver, type ToolResult } from './tool.js'

/** Calls of pip that belong together. */
export interface PipJob {
  readonly python: string
  /** Where wheels are downloaded to. */
  readonly downloads: string
  /** Pip's temporary files, which are large. */
  readonly temporary: string
  /** Where wheels are unpacked to. */
  readonly site: string
  /** The variable that moves these folders to another disk, for the hint if this one is full. */
  readonly folderVariable: string
  readonly observer: SetupObserver
  readonly signal: AbortSignal
}

/** A wheel in pip's notation. */
export interface Requirement {
  /** "nvidia-cublas-cu12<13.0,>=12.5" */
  readonly specifier: string
  /** The digest of the wheel's file; null if unknown, which only happens with --no-checksums. */
  readonly sha256: string | null
}

export function requirementOf({ name, version, sha256 }: PinnedWheel): Requirement {
  return { specifier: `${name}==${version}`, sha256 }
}

/**
 * The wheels are downloaded for this Python, whatever Python runs pip: their Python code is never used, and the libraries
 * in them are the same for all. TensorFlow has had wheels for 3.11 since 2.12.
 */
const wheelPython = '3.11'
const wheelOnly = ['--no-deps', '--only-binary=:all:', '--python-version', wheelPython]

/** Downloads a wheel, unless an earlier call has downloaded it completely. */
export async function download(job: PipJob, requirement: Requirement, position = ''): Promise<void> {
  const { downloads, observer } = job
  const { specifier } = requirement
  observer.step(`download ${specifier.replace(/[<>=!~].*/, '')}${position}`)
  const watch = watchDownload(job)
  try {
    const wanted = await requirementFlags(job, [requirement])
    const args = ['download', '--retries', '2', ...wheelOnly, '--dest', downloads, ...wanted]
    const result = await runPip(job, args, watch.onLine)
    if (result.code !== 0) throw pipError(specifier, job, result)
  } finally {
    watch.stop()
  }
}

/** Unpacks downloaded wheels into `site`, which must not hold anything of the same name. */
export async function unpack(job: PipJob, requirements: readonly Requirement[]): Promise<void> {
  const from = ['--no-index', '--find-links', job.downloads]
  const wanted = await requirementFlags(job, requirements)
  const args = ['install', '--no-compile', ...wheelOnly, ...from, '--target', job.site, ...wanted]
  const result = await runPip(job, args)
  if (result.code !== 0) throw pipError(requirements[0]!.specifier, job, result)
}

/** Pip takes hashes only from a file. It then refuses every wheel with another hash or without one. */
async function requirementFlags(
  job: PipJob,
  requirements: readonly Requirement[],
): Promise<readonly string[]> {
  if (requirements.some(({ sha256 }) => sha256 === null))
    return requirements.map(({ specifier }) => specifier)
  const file = join(job.temporary, 'requirements.txt')
  const lines = requirements.map(({ specifier, sha256 }) => `${specifier} --hash=sha256:${sha256}\n`)
  await writeFile(file, lines.join(''))
  return ['--require-hashes', '--requirement', file]
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
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    ),
  )
  return Math.max(0, ...(await Promise.all(sizes)))
}

/** Runs pip with the user's own settings (mirror, proxy, certificates), except for those that move files elsewhere. */
function runPip(
  { python, temporary, signal }: PipJob,
  args: readonly string[],
  onLine?: (line: string) => void,
): Promise<ToolResult> {
  const environment = {
    ...process.env,
    TMPDIR: temporary,
    PIP_USER: '0',
    PIP_REQUIRE_VIRTUALENV: '0',
    PIP_ROOT_USER_ACTION: 'ignore',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
  }
  return runTool(python, ['-m', 'pip', ...args], { environment, signal, ...(onLine && { onLine }) })
}

const networkFailure =
  /connection broken|NewConnectionError|Max retries|timed? ?out|ConnectionError|ProxyError|SSLError/i

function pipError(
  requirement: string,
  { folderVariable }: PipJob,
  { stderr, signal }: ToolResult,
): EigenaeError {
  if (/No space left on device|Errno 28|Disk quota exceeded/.test(stderr))
    return new EigenaeError({
      problem: 'no space left on the disk',
      subject: requirement,
      hint: `Free some space, or name a folder on another disk by ${folderVariable}. Complete downloads are kept.`,
    })
  if (networkFailure.test(stderr))
    return new EigenaeError({
      problem: 'the package index cannot be reached',
      subject: requirement,
      details: lastLines(stderr, 1),
      hint: 'Check the network (HTTPS_PROXY for a proxy, PIP_INDEX_URL for a mirror), then run this again. Complete downloads are kept.',
    })
  if (/DO NOT MATCH THE HASHES/.test(stderr))
    return new EigenaeError({
      problem: 'the downloaded wheel does not have its known checksum',
      subject: requirement,
      details: stderr.split('\n').flatMap((line) => /^\s*(Expected sha256 .*|Got .*)$/.exec(line)?.[1] ?? []),
      hint: 'The package index serves a different file. Choose another with PIP_INDEX_URL.',
    })
  const versions = /from versions: (?!none)([^)]*)/.exec(stderr)?.[1]
  if (versions !== undefined || /No matching distribution/.test(stderr))
    return new EigenaeError({
      problem: `there is no wheel of ${requirement} for this machine (${process.platform} ${process.arch}, Python ${wheelPython})`,
      subject: '--version',
      ...(versions !== undefined && { hint: `Use one of ${releases(versions)}.` }),
    })
  return new EigenaeError({
    problem: signal === null ? 'pip failed' : `pip was ended by ${signal}`,
    subject: requirement,
    details: lastLines(stderr, 8),
  })
}

/** Removes release candidates, as "2.21.0rc1". */
function releases(versions: string): string {
  return versions
    .split(', ')
    .filter((version) => /^[\d.]+$/.test(version))
    .join(', ')
}

function lastLines(text: string, count: number): readonly string[] {
  return text.trim().split('\n').slice(-count)
}
