import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configs, scratchFolder } from './support/cli.js'

const root = join(import.meta.dirname, '..')
const scratch = scratchFolder()

/** Copies the project as `npm ci` leaves it if no compiler is found. */
function copyOfProject(name: string): string {
  const project = scratch(name)
  mkdirSync(project)
  for (const part of ['bin', 'dist', 'scripts', 'package.json'])
    cpSync(join(root, part), join(project, part), { recursive: true })
  cpSync(join(root, 'native'), join(project, 'native'), {
    recursive: true,
    filter: (source) => source !== join(root, 'native', 'build'),
  })
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
  return project
}

// npm 10 runs every package's install script, and cannot skip those of some packages.
it('installs no package that runs an install script', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const withScript = Object.entries<Record<string, unknown>>(packages).filter(
    ([name, { hasInstallScript, dev }]) => name !== '' && hasInstallScript && !dev,
  )
  expect(withScript).toEqual([])
})

describe('an installation that compiles', () => {
  it('prints its progress, and nothing if there is nothing to compile, even in a clone that was moved', () => {
    const project = copyOfProject('compiled')
    const compiler = scratch('compiler')
    const script = '#!/bin/sh\nwhile [ $# -gt 1 ]; do [ "$1" = -o ] && : > "$2"; shift; done\n'
    writeFileSync(compiler, script, { mode: 0o755 })
    const install = (cwd = project) =>
      spawnSync(process.execPath, ['scripts/install.mjs'], {
        ...{ cwd, encoding: 'utf8', env: { ...process.env, CXX: compiler } },
      }).stderr
    expect(install()).toMatch(
      /^compiling the native engine \(C\+\+\): (\d+) files …\n( {2}the native engine: \d+ of \1\n){3,4}compiled the native engine in \d+ s\n$/,
    )
    expect(install()).toBe('')
    renameSync(project, scratch('moved'))
    expect(install(scratch('moved'))).toBe('')
  })
})

describe('an installation without a C++ compiler', () => {
  const project = copyOfProject('project')
  // The path has only Node itself.
  const bare = scratch('path')
  const out = scratch('run')
  mkdirSync(bare)
  symlinkSync(process.execPath, join(bare, 'node'))
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, args, {
      cwd: project,
      env: { PATH: bare, HOME: dirname(project) },
      encoding: 'utf8',
    })

  it('succeeds, and prints what to install', () => {
    const { status, stdout, stderr } = run('scripts/build-native.mjs')
    expect(status).toBe(0)
    expect(stdout + stderr).toMatch(/apt-get install g\+\+/)
  })

  it('trains as WebAssembly, and prints why', () => {
    const config = join(configs, 'eigen.json')
    const small = ['--epochs', '1', '--set', 'data.limit=256']
    const { status, stderr } = run('bin/eigenae.js', 'train', '--config', config, ...small, '--out', out)
    expect(stderr).toMatch(/wasm.*not cpu \(.*the native engine was not built here/)
    expect(status).toBe(0)
    const record = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))
    expect(record).toMatchObject({ status: 'completed', device: 'wasm' })
  })

  it('prints what to install if train needs the cpu, in one message', () => {
    const config = join(configs, 'eigen.json')
    const { status, stderr } = run('bin/eigenae.js', 'train', '--config', config, '--device', 'cpu')
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^eigenae: device cpu: the native engine was not built here\n.*apt-get install g\+\+/,
    )
  })
})
