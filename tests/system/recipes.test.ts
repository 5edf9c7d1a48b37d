import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { scratchFolder } from '../support/cli.js'
import { describeWithCuda } from '../support/cuda-engine.js'
import { skipsWithout } from '../support/requirements.js'
import { describeWithTensorflow } from '../support/tensorflow-engine.js'

/**
 * Follows two recipes of docs/architecture.md in a copy of the project: an eigen loss (the participation ratio of the
 * eigenvalues) and a metric (the participation ratio of the singular shares). New rows are made from those of log-max and
 * effective_rank, so that a change of a table's form does not matter here.
 */
const root = join(import.meta.dirname, '../..')
const minutes = 60_000
const scratch = scratchFolder()
const project = scratch('project')
const missingTests = existsSync('/usr/include/gtest/gtest.h') ? null : 'no GoogleTest (Debian: libgtest-dev)'

function copyProject(): void {
  const listed = succeed('git', ['ls-files', '--cached', '--others', '--exclude-standard'], root)
  const files = listed.trim().split('\n')
  for (const file of files.filter((name) => existsSync(join(root, name))))
    cpSync(join(root, file), join(project, file))
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
  // A recipe compiles only what it changes: objects and WebAssembly are found by their sources' content.
  for (const shared of ['native/build/objects', 'native/build/wasm']) {
    mkdirSync(join(root, shared), { recursive: true })
    mkdirSync(join(project, 'native/build'), { recursive: true })
    symlinkSync(join(root, shared), join(project, shared))
  }
}

function run(
  command: string,
  args: readonly string[],
  cwd = project,
  more: Readonly<Record<string, string>> = {},
) {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'))
  const env = { ...Object.fromEntries(entries), ...more }
  return spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 2 ** 26 })
}

/** Runs a program in the project's copy and returns what it prints. */
function succeed(...[command, args, cwd, env]: Parameters<typeof run>): string {
  const { status, stdout, stderr, error } = run(command, args, cwd, env)
  expect(status, `${command} ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`).toBe(0)
  return stdout
}

const node = (...args: readonly string[]) => succeed(process.execPath, args)
const read = (file: string) => readFileSync(join(project, file), 'utf8')
const write = (file: string, text: string) => writeFileSync(join(project, file), text)

/** Replaces what a pattern matches, which has to be there once. */
function replace(text: string, pattern: RegExp, replacement: string): string {
  expect(text.match(new RegExp(pattern, `${pattern.flags}g`)), String(pattern)).toHaveLength(1)
  return text.replace(pattern, () => replacement)
}

/** Adds the row of log-max again, for the new loss. */
function addEigenLoss(): void {
  const file = 'src/config/eigen-loss-kinds.ts'
  const [row] = /^ {2}'log-max': kind\(\{\n[\s\S]*?^ {2}\}\),\n/m.exec(read(file))!
  const added = replace(
    row.replaceAll('log-max', 'participation'),
    /formula: .*/,
    "formula: 'sum(lambda^2) / sum(lambda)^2',",
  )
  write(file, replace(read(file), /^ {2}entropy: kind/m, `${added}  entropy: kind`))
}

function addMetric(): void {
  const file = 'src/runs/metrics.ts'
  const [row] = /^ {2}effective_rank: \{\n[\s\S]*?^ {2}\},\n/m.exec(read(file))!
  const renamed = replace(row, /effective_rank:/, 'participation_ratio:').replace(
    'effective rank',
    'participation ratio',
  )
  const added = replace(
    renamed,
    /spectrum\.effectiveRank/,
    '1 / spectrum.singularShares.reduce((sum, p) => sum + p * p, 0)',
  )
  write(file, replace(read(file), /^\} as const satisfies/m, `${added}} as const satisfies`))
}

/** Trains one epoch with the new loss and without noise, of which engines have their own; returns its metrics. */
function train(device: string, env = {}): Readonly<Record<string, number>> {
  const out = `runs/${device}`
  const settings = '--set loss.eigen.kind=participation --set data.limit=1024 --set data.noise=0'
  const args = `--config configs/eigen.json --epochs 1 --device ${device} --out ${out} --overwrite ${settings}`
  succeed(process.execPath, ['bin/eigenae.js', 'train', ...args.split(' ')], project, env)
  const rows = read(`${out}/metrics.csv`).trim().split('\n')
  const [header, values] = rows.map((row) => row.split(','))
  return Object.fromEntries(header!.map((name, index) => [name, Number(values![index])]))
}

describe('the recipes for an eigen loss and a metric', { timeout: 10 * minutes }, () => {
  let check: ReturnType<typeof run>
  let generation: ReturnType<typeof run>
  beforeAll(() => {
    copyProject()
    addEigenLoss()
    addMetric()
    node('scripts/build.mjs')
    check = run(process.execPath, ['scripts/generate.mjs', '--check'])
    generation = run(process.execPath, ['scripts/generate.mjs'])
    expect(generation.status, generation.stderr).toBe(0)
  }, 10 * minutes)

  it('make generated files stale, which generate --check reports', () => {
    expect(check.status).toBe(1)
    for (const file of ['configs/schema.json', 'docs/commands.md', 'docs/config.md', 'man/eigenae.1'])
      expect(check.stderr).toContain(`${file} is not current: run npm run generate\n`)
  })

  it('give code that passes the checks of types', () => {
    node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json')
  })

  it('give a loss that trains, and a metric that train and compare show', () => {
    const metrics = train('cpu')
    // Both are between the values of one dimension and of ten equal ones.
    expect(metrics.train_eigen).toBeGreaterThan(0.1)
    expect(metrics.train_eigen).toBeLessThan(1)
    expect(metrics.participation_ratio).toBeGreaterThan(1)
    expect(metrics.participation_ratio).toBeLessThan(10)
    const comparison = node('bin/eigenae.js', 'compare', 'runs/cpu', '--metric', 'participation_ratio')
    expect(comparison).toContain('participation ratio')
  })

  it('give WebAssembly the same loss, with the same program', () => {
    for (const file of ['native/wasm/eigenae.wasm', 'native/wasm/eigenae-relaxed.wasm'])
      expect(readFileSync(join(project, file)).equals(readFileSync(join(root, file))), file).toBe(true)
    expect(train('wasm').train_eigen).toBeCloseTo(train('cpu').train_eigen!, 3)
  })

  describeWithTensorflow(() => {
    it('give TensorFlow the same loss', () => {
      expect(train('tensorflow-cpu').train_eigen).toBeCloseTo(train('cpu').train_eigen!, 3)
    })
  })

  describeWithCuda('with the CUDA core', ({ environment }) => {
    it('give the core the same loss, with the same kernels', () => {
      expect(generation.stderr).not.toContain('wrote native/cuda/ptx')
      expect(train('cuda', environment).train_eigen).toBeCloseTo(train('cpu').train_eigen!, 3)
    })
  })

  it.skipIf(skipsWithout(missingTests))('give a gradient that equals finite differences', () => {
    node('scripts/build-native.mjs', '--strict', '--tests')
    succeed('native/build/core-tests', ['--gtest_brief=1', '--gtest_filter=*Eigen*:*Spectr*'])
  })

  it('break no other test', () => {
    const names = 'golden engine config manual train.test compare.test compare-tables report'.split(' ')
    node('node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', ...names.map((name) => `tests/${name}`))
  })
})
