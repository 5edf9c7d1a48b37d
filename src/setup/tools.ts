import { spawn } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { EigenaeError, hasCode } from '../errors.js'
import { compareVersions, rootOf, type Software } from './installation.js'

// The programs that a setup runs, and what it needs before it starts.

interface ToolOptions {
  readonly environment?: NodeJS.ProcessEnv
  /** Ends the program; the call then throws the signal's reason. */
  readonly signal?: AbortSignal
  /** Called with each line of stdout when it arrives. */
  readonly onLine?: ((line: string) => void) | undefined
}

export interface ToolResult {
  /** Whether the program could be started. */
  readonly found: boolean
  /** Null if a signal ended it, or if it could not be started. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. A failure is a result, not an error. */
export async function runTool(
  command: string,
  args: readonly string[],
  { environment = process.env, signal, onLine }: ToolOptions = {},
): Promise<ToolResult> {
  signal?.throwIfAborted()
  const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = () => child.kill('SIGTERM')
  signal?.addEventListener('abort', stop)
  let stdout = ''
  let stderr = ''
  let line = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const lines = (line + text).split('\n')
    line = lines.pop()!
    for (const each of lines) onLine?.(each)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const result = await new Promise<ToolResult>((resolve) => {
    child.on('error', () => resolve({ code: null, signal: null, found: false, stdout, stderr }))
    child.on('close', (code, ended) => resolve({ code, signal: ended, found: true, stdout, stderr }))
  })
  signal?.removeEventListener('abort', stop)
  signal?.throwIfAborted()
  return result
}

/** Something that a setup needs: its version or amount, or a line about what is missing and the packages that have it. */
export type Finding =
  | { readonly found: string }
  | { readonly missing: string; readonly packages?: readonly string[] }

/** Returns what was found. @throws EigenaeError with everything that is missing, and the commands that install it. */
export async function requireAll(
  { name }: Software,
  findings: readonly Promise<Finding>[],
): Promise<readonly string[]> {
  const all = await Promise.all(findings)
  const missing = all.flatMap((each) => ('missing' in each ? [each] : []))
  if (missing.length === 0) return all.flatMap((each) => ('found' in each ? [each.found] : []))
  const packages = missing.flatMap((each) => each.packages ?? []).join(' ')
  throw new EigenaeError({
    problem: `${name} cannot be set up yet`,
    details: missing.map((each) => each.missing),
    ...(packages !== '' && {
      hint: `Debian, Ubuntu: sudo apt-get install ${packages}\nFedora: sudo dnf install ${packages.replace('g++', 'gcc-c++')}`,
    }),
  })
}

/** Older versions reject the wheels' platform tags (manylinux_2_27). */
const oldestPip = '20.3'

export async function findPip(python: string): Promise<Finding> {
  const { found, code, stdout } = await runTool(python, ['-m', 'pip', '--version'])
  const version = /^pip (\S+).*\(python (\S+)\)/m.exec(stdout)
  if (!found)
    return {
      missing: `${python} was not found (--python names another)`,
      packages: ['python3', 'python3-pip'],
    }
  if (code !== 0 || version === null)
    return { missing: `${python} has no pip (--python names another)`, packages: ['python3-pip'] }
  if (compareVersions(version[1]!, oldestPip) >= 0)
    return { found: `Python ${version[2]} with pip ${version[1]}` }
  const upgrade = `${python} -m pip install --upgrade "pip>=${oldestPip}"`
  return { missing: `pip ${version[1]} is too old: run ${upgrade}` }
}

export async function findCompiler(compiler: string): Promise<Finding> {
  const { code, stdout } = await runTool(compiler, ['--version'])
  if (code === 0) return { found: stdout.split('\n')[0]!.trim() }
  return { missing: `the C++ compiler ${compiler} was not found`, packages: ['g++'] }
}

export async function findNpm(): Promise<Finding> {
  const { code, stdout } = await runTool('npm', ['--version'])
  if (code === 0) return { found: `npm ${stdout.trim()}` }
  return { missing: 'npm was not found, which downloads @tensorflow/tfjs-node-gpu', packages: ['npm'] }
}

/** Pip's temporary files are beside the installation, so no other folder needs space. */
export async function findSpace(software: Software, bytes: number): Promise<Finding> {
  const root = rootOf(software)
  const free = await freeBytes(root)
  if (free >= bytes) return { found: `${gigabytes(free)} free` }
  const advice = `free some space, or name another folder with ${software.variable}`
  return { missing: `${root} has ${gigabytes(free)} free, and ${gigabytes(bytes)} are needed: ${advice}` }
}

async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch (error) {
    if (hasCode(error, 'ENOENT') && dirname(folder) !== folder) return freeBytes(dirname(folder))
    throw error
  }
}

/** Returns the error of a disk that is full. @param rest a sentence after the hint */
export function fullDisk({ variable }: Software, subject: string, rest = ''): EigenaeError {
  const hint = `Free some space, or name a folder on another disk with ${variable}.${rest}`
  return new EigenaeError({ problem: 'no space left on the disk', subject, hint })
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
