import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']

/** Compiles a shared library, so that its symbols are in no library of the machine. */
export function buildLibrary(file: string, source: string, flags: readonly string[] = []): void {
  execFileSync('g++', ['-shared', '-fPIC', ...flags, '-x', 'c++', '-', '-o', file], { input: source })
}

export function writeProgram(file: string, shell: string): void {
  writeFileSync(file, `#!/bin/sh\n${shell}\n`)
  chmodSync(file, 0o755)
}

export interface FakeInstallation {
  readonly root: string
  readonly tensorflow: string
  readonly addon: string
}

/** Creates an installation in `root` as `setup tensorflow` does, with `library` in place of TensorFlow's libraries. */
export function fakeInstallation(root: string, library: string, kind: 'cpu' | 'cuda'): FakeInstallation {
  const folder = join(root, `2.21.0-${kind}`)
  const tensorflow = join(folder, 'site-packages', 'tensorflow')
  const addon = join(folder, 'tfjs_binding.node')
  mkdirSync(tensorflow, { recursive: true })
  const bytes = readFileSync(library)
  for (const file of [addon, ...libraries.map((name) => join(tensorflow, name))]) writeFileSync(file, bytes)
  const record = {
    format: 1,
    version: '2.21.0',
    kind,
    tensorflow,
    addon,
    addonSha256: createHash('sha256').update(bytes).digest('hex'),
    libraries: Object.fromEntries(libraries.map((name) => [name, statSync(join(tensorflow, name)).size])),
    binding: '4.22.0',
    built: '2026-11-24T00:00:00.000Z',
  }
  writeFileSync(join(folder, 'installation.json'), JSON.stringify(record))
  return { root, tensorflow, addon }
}
