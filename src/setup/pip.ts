import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenaeError } from '../errors.js'
import type { Observer } from './observer.js'
import { runTool, type ToolEnding } from './tool.js'

export interface PipJob {
  readonly python: string
  /** For the wheels as they are downloaded. */
  readonly downloads: string
  /** For pip's temporary files, which are large. */
  readonly temporary: string
  readonly site: string
  readonly observer: Observer
  readonly signal: AbortSignal
}

/**
 * The wheel is taken for this Python, whichever runs pip: its Python half is never used, and the libraries in it are the
 * same for all. TensorFlow has had wheels for 3.11 since 2.12.
 */
const wheelPython = '3.11'
const wheelOnly = ['--no-deps', '--only-binary=:all:', '--python-version', wheelPython]

/** A wheel as pip is asked for it: "nvidia-cublas-cu12<13.0,>=12.5". */
export interface Requirement {
  readonly specifier: string
  /** Of the wheel's file; null if it is not known, which is for versions that the user chose alone. */
  readonly sha256: string | null
}

/** A file that an earlier call has downloaded whole is not downloaded again. */
export async function download(job: PipJob, requirement: Requirement, place = ''): Promise<void> {
  const { downloads, observer } = job
  const { specifier } = requirement
  observer.step(`download ${specifier.replace(/[<>=!~].*/, '')}${place}`)
  const watch = watchDownload(job)
  try {
    const wanted = await requirementFlags(job, [requirement])
    const args = ['download', '--retries', '2', ...wheelOnly, '--dest', downloads, ...wanted]
    const ending = await pip(job, args, watch.onLine)
    if (ending.code !== 0) throw pipError(specifier, ending)
  } finally {
    watch.stop()
  }
}

/** Pip takes hashes from a file alone. It then refuses every wheel that has another hash, or none. */
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

/** Pip says a file's size when it begins; how much of it has come is seen in pip's temporary folder. */
function watchDownload({ temporary, observer }: PipJob) {
  let total = 0
  let looking = false
  const look = async () => {
    if (looking || total === 0) return
    looking = true
    const done = await largestFile(temporary)
    looking = false
    if (total > 0) observer.progress(Math.min(done, total), total)
  }
  const timer = setInterval(look, 250)
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

/** Unpacks downloaded wheels into `site`, which must not hold anything of the same name. */
export async function unpack(job: PipJob, requirements: readonly Requirement[]): Promise<void> {
  const from = ['--no-index', '--find-links', job.downloads]
  const wanted = await requirementFlags(job, requirements)
  const args = ['install', '--no-compile', ...wheelOnly, ...from, '--target', job.site, ...wanted]
  const ending = await pip(job, args)
  if (ending.code !== 0) throw pipError(requirements[0]!.specifier, ending)
}

/** The user's own settings (a mirror, a proxy, certificates) hold, but for those that put files elsewhere. */
function pip(
  { python, temporary, signal }: PipJob,
  args: readonly string[],
  onLine?: (line: string) => void,
) {
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

function pipError(requirement: string, { stderr, signal }: ToolEnding): EigenaeError {
  if (/No space left on device|Errno 28|Disk quota exceeded/.test(stderr))
    return new EigenaeError({
      problem: 'no space left on the disk',
      subject: requirement,
      hint: 'Free some, or name a folder on another disk by EIGENAE_TENSORFLOW_DIR; what was downloaded whole is kept.',
    })
  if (
    /connection broken|NewConnectionError|Max retries|timed? ?out|ConnectionError|ProxyError|SSLError/i.test(
      stderr,
    )
  )
    return new EigenaeError({
      problem: 'the package index cannot be reached',
      subject: requirement,
      details: lastLines(stderr, 1),
      hint: 'Check the network (HTTPS_PROXY for a proxy, PIP_INDEX_URL for a mirror), then run this again; what was downloaded whole is kept.',
    })
  if (/DO NOT MATCH THE HASHES/.test(stderr))
    return new EigenaeError({
      problem: 'the downloaded wheel does not have the checksum that it should have',
      subject: requirement,
      details: stderr.split('\n').flatMap((line) => /^\s*(Expected sha256 .*|Got .*)$/.exec(line)?.[1] ?? []),
      hint: 'The package index, or the mirror that PIP_INDEX_URL names, serves another file: use another one.',
    })
  const versions = /from versions: (?!none)([^)]*)/.exec(stderr)?.[1]
  if (versions !== undefined || /No matching distribution/.test(stderr))
    return new EigenaeError({
      problem: `there is no wheel of ${requirement} for this machine (${process.platform} ${process.arch}, Python ${wheelPython})`,
      subject: '--version',
      ...(versions !== undefined && { hint: `There are: ${releases(versions)}` }),
    })
  return new EigenaeError({
    problem: signal === null ? 'pip failed' : `pip was ended by ${signal}`,
    subject: requirement,
    details: lastLines(stderr, 8),
  })
}

/** Without candidates for a release: "2.21.0rc1". */
function releases(versions: string): string {
  return versions
    .split(', ')
    .filter((version) => /^[\d.]+$/.test(version))
    .join(', ')
}

function lastLines(text: string, count: number): readonly string[] {
  return text.trim().split('\n').slice(-count)
}
