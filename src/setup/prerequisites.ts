import { statfs } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { EigenaeError, hasCode } from '../errors.js'
import { compareVersions, type InstallationKind, installationRoot } from './installation.js'
import { runTool } from './tool.js'

/** The programs that a setup runs. */
export interface Tools {
  readonly python: string
  readonly compiler: string
  readonly nodeHeaders: string
  /** The versions found, one line. */
  readonly summary: string
}

/** Bytes on the disk, measured with TensorFlow 2.21.0: the peak during the setup, and the size of the installation. */
export const diskBytes: Readonly<Record<InstallationKind, { readonly peak: number; readonly kept: number }>> =
  { cpu: { peak: 1.7e9, kept: 1.3e9 }, cuda: { peak: 9.9e9, kept: 6.4e9 } }

export type Finding<T> =
  | { readonly found: T }
  | { readonly missing: string; readonly packages?: readonly string[] }

/** @throws EigenaeError with everything that is missing, and the commands that install it. */
export async function findTools(kind: InstallationKind, pythonFlag: string | undefined): Promise<Tools> {
  const python = pythonFlag ?? 'python3'
  const compiler = process.env.CXX || 'g++'
  const findings = await Promise.all([
    findPlatform(kind),
    findPip(python),
    findCompiler(compiler),
    findNpm(),
    findSpace(kind),
  ])
  const missing = findings.flatMap((each) => ('missing' in each ? [each] : []))
  const [platform, pip, gcc, npm, space] = findings
  const complete =
    'found' in platform && 'found' in pip && 'found' in gcc && 'found' in npm && 'found' in space
  if (!complete) throw missingTools('TensorFlow', missing)
  const nodeHeaders = createRequire(import.meta.url)('node-api-headers').include_dir as string
  const summary = [pip.found, gcc.found, npm.found, space.found].join(' · ')
  return { python, compiler, nodeHeaders, summary }
}

/** Returns the error for everything that a setup of `software` lacks. */
export function missingTools(
  software: string,
  missing: readonly Extract<Finding<never>, { missing: string }>[],
): EigenaeError {
  const packages = missing.flatMap((each) => each.packages ?? [])
  const names = packages.join(' ')
  return new EigenaeError({
    problem: `${software} cannot be set up yet`,
    details: missing.map((each) => each.missing),
    ...(packages.length > 0 && {
      hint: `Debian, Ubuntu: sudo apt-get install ${names}\nFedora: sudo dnf install ${names.replace('g++', 'gcc-c++')}`,
    }),
  })
}

async function findPlatform(kind: InstallationKind): Promise<Finding<string>> {
  const { platform, arch } = process
  if (platform !== 'linux') return { missing: `this is ${platform}, and the TensorFlow engine is for Linux` }
  if (arch === 'x64' || (arch === 'arm64' && kind === 'cpu')) return { found: arch }
  return { missing: `there is no TensorFlow with ${kind} for this processor (${arch})` }
}

/** Older versions reject the wheels' platform tags (manylinux_2_27). */
const oldestPip = '20.3'

export async function findPip(python: string): Promise<Finding<string>> {
  const { found, code, stdout } = await runTool(python, ['-m', 'pip', '--version'])
  if (!found)
    return {
      missing: `${python} was not found (--python names another)`,
      packages: ['python3', 'python3-pip'],
    }
  const version = /^pip (\S+).*\(python (\S+)\)/m.exec(stdout)
  if (code !== 0 || version === null)
    return { missing: `${python} has no pip (--python names another)`, packages: ['python3-pip'] }
  if (compareVersions(version[1]!, oldestPip) < 0)
    return {
      missing: `pip ${version[1]} is too old: run ${python} -m pip install --upgrade "pip>=${oldestPip}"`,
    }
  return { found: `Python ${version[2]} with pip ${version[1]}` }
}

async function findCompiler(compiler: string): Promise<Finding<string>> {
  const { found, code, stdout } = await runTool(compiler, ['--version'])
  if (found && code === 0) return { found: stdout.split('\n')[0]!.trim() }
  return { missing: `the C++ compiler ${compiler} was not found`, packages: ['g++'] }
}

/** npm downloads the addon's package. */
async function findNpm(): Promise<Finding<string>> {
  const { found, code, stdout } = await runTool('npm', ['--version'])
  if (found && code === 0) return { found: `npm ${stdout.trim()}` }
  return {
    missing: 'npm was not found, which downloads @tensorflow/tfjs-node-gpu',
    packages: ['npm'],
  }
}

/** Pip's temporary files are beside the installation, so no other folder needs space. */
async function findSpace(kind: InstallationKind): Promise<Finding<string>> {
  const root = installationRoot()
  const free = await freeBytes(root)
  const { peak } = diskBytes[kind]
  if (free >= peak) return { found: `${gigabytes(free)} free` }
  return {
    missing: `${root} has ${gigabytes(free)} free, and ${gigabytes(peak)} are needed: free some space, or name another folder with EIGENAE_TENSORFLOW_DIR`,
  }
}

export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch (error) {
    if (hasCode(error, 'ENOENT') && dirname(folder) !== folder) return freeBytes(dirname(folder))
    throw error
  }
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
