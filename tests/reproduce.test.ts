import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { kernelVariant } from '../src/engines/cuda/kernel.js'
import { instructionSets } from '../src/engines/native/engine.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { dataFolder, idxImages } from './support/idx.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'
import { expectSameRuns, readJson, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const home = scratch('home')
const elsewhere = scratch('elsewhere')
const bin = join(import.meta.dirname, '../bin/eigenae.js')

async function train(name: string, env?: Readonly<Record<string, string>>) {
  const args = ['train', '--config', 'config.json', '--out', `runs/${name}`]
  const trained = await eigenae(args, env === undefined ? { cwd: home } : { cwd: home, env })
  expect(trained.stderr).not.toContain('eigenae:')
}

/** Runs a line in a shell that finds eigenae, from another folder than that of the run. */
function shell(line: string): void {
  const programs = scratch('programs')
  mkdirSync(programs, { recursive: true })
  writeFileSync(join(programs, 'eigenae'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`, {
    mode: 0o755,
  })
  const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` }
  execFileSync('sh', ['-c', line], { cwd: elsewhere, env, stdio: 'pipe' })
}

beforeAll(async () => {
  dataFolder(join(home, 'data'))
  mkdirSync(elsewhere)
  writeJson(join(home, 'config.json'), {
    name: 'small',
    data: { source: 'data' },
    model: { widths: [784, 8, 4] },
    train: { epochs: 2, batchSize: 50 },
  })
  await train('plain')
})

describe('eigenae reproduce', () => {
  it('prints a command that trains the same bytes from any folder', async () => {
    const out = scratch('again')
    const { code, stdout } = await eigenae(['reproduce', join(home, 'runs/plain'), '--out', out], {
      cwd: elsewhere,
    })
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    shell(stdout)
    await expectSameRuns(['.'], out, join(home, 'runs/plain'))
  })

  it('names the folder of the new run by the config if none is given', async () => {
    const { stdout } = await eigenae(['reproduce', 'runs/plain'], { cwd: home })
    expect(stdout.trim()).toBe('eigenae train --config runs/plain/config.json --out reproduced/small/seed-0')
  })

  it('restores the device that "auto" selected, and the config keeps "auto"', async () => {
    await train('wasm', { EIGENAE_AUTO_DEVICE: 'wasm' })
    const out = scratch('wasm-again')
    const { stdout } = await eigenae(['reproduce', join(home, 'runs/wasm'), '--out', out], { cwd: home })
    expect(stdout).toContain('EIGENAE_AUTO_DEVICE=wasm eigenae train')
    shell(`cd ${home} && ${stdout}`)
    expect(readJson(join(out, 'run.json')).device).toBe('wasm')
    await expectSameRuns(['.'], out, join(home, 'runs/wasm'))
  })

  it.skipIf(instructionSets().length < 2)('restores the instruction set', async () => {
    const slowest = instructionSets().at(-1)!
    await train('slowest', { EIGENAE_ISA: slowest })
    const { code, stdout, stderr } = await eigenae(['reproduce', 'runs/slowest', '--run', '--json'], {
      cwd: home,
    })
    expect([code, JSON.parse(stdout).environment]).toEqual([0, { EIGENAE_ISA: slowest }])
    expect(stderr).toContain(`native ${slowest}`)
  })

  it('does not enter a folder that run.json names', async () => {
    const { code, stderr } = await eigenae(['reproduce', '../home/runs/plain', '--run', '--out', 'mine'], {
      cwd: elsewhere,
    })
    expect(code).toBe(2)
    expect(stderr).toContain(
      `the command starts in ${home}, a folder that run.json names; refusing to enter it\n`,
    )
    expect(stderr).toContain(
      `run: cd ${home} && node ${bin} reproduce ${home}/runs/plain --run --out ${elsewhere}/mine\n`,
    )
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it('runs the command, compares all files without times, and leaves nothing', async () => {
    const temporary = scratch('temporary')
    mkdirSync(temporary)
    const options = { cwd: home, env: { TMPDIR: temporary } }
    const { code, stdout } = await eigenae(['reproduce', join(home, 'runs/plain'), '--run'], options)
    expect(code).toBe(0)
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual(
      [
        'config.json',
        'metrics.csv',
        'spectrum.csv',
        'layers.csv',
        'losses.csv',
        'evaluation.json',
        'model.safetensors',
      ].map((name) => [name, 'same bytes']),
    )
    expect(readdirSync(temporary)).toEqual([])
    expect(existsSync(join(home, 'reproduced'))).toBe(false)
  })

  it('ends with exit code 1 and the reason if the files differ', async () => {
    await train('before')
    dataFolder(join(home, 'data'), { 'train-images-idx3-ubyte': idxImages(200).fill(9, 16) })
    const out = scratch('differing')
    const { code, stdout, stderr } = await eigenae(['reproduce', 'runs/before', '--run', '--out', out], {
      cwd: home,
    })
    dataFolder(join(home, 'data'))
    expect(code).toBe(1)
    expect(stdout).toMatch(/config.json +same bytes\nmetrics.csv +differs/)
    expect(stderr).toContain('5 of 7 files differ from those of runs/before')
    expect(stderr).toMatch(/SHA-256 of trainImages: [0-9a-f]+ then, [0-9a-f]+ now/)
    expect(existsSync(join(out, 'metrics.csv'))).toBe(true)
  })

  it('notes another version and an instruction set that this machine lacks', async () => {
    const engine = { name: 'native', variant: 'avx1024' }
    const run = writeRun(scratch('older'), { version: '0.1.0', engine })
    const { code, stderr } = await eigenae(['reproduce', run])
    expect(code).toBe(0)
    expect(stderr).toMatch(/may differ: the run was made by eigenae 0\.1\.0, and this is \d/)
    expect(stderr).toContain(
      'may differ: the run used the instruction set avx1024, which this machine cannot run',
    )
  })

  it('notes a CUDA kernel that this version does not have', async () => {
    const run = (variant: string) => writeRun(scratch(variant), { engine: { name: 'cuda-core', variant } })
    expect((await eigenae(['reproduce', run('compute_70-older')])).stderr).toContain(
      `may differ: the run used the CUDA kernel compute_70-older, and this version has ${kernelVariant()}\n`,
    )
    expect((await eigenae(['reproduce', run(kernelVariant())])).stderr).not.toContain('kernel')
  })

  it('refuses a run whose config was changed, and with --run one that is not complete', async () => {
    await train('changed')
    const config = readJson(join(home, 'runs/changed/config.json'))
    writeJson(join(home, 'runs/changed/config.json'), { ...config, seed: 5 })
    const changed = await eigenae(['reproduce', 'runs/changed'], { cwd: home })
    expect([changed.code, changed.stderr]).toEqual([1, expect.stringContaining('this run is damaged')])
    await train('stopped')
    rmSync(join(home, 'runs/stopped/evaluation.json'))
    sealRun(join(home, 'runs/stopped'), { status: 'interrupted' })
    const stopped = await eigenae(['reproduce', 'runs/stopped', '--run'], { cwd: home })
    expect([stopped.code, stopped.stderr]).toEqual([2, expect.stringContaining('this run is not complete')])
  })
})

describe('EIGENAE_AUTO_DEVICE', () => {
  it('is refused if there is no such device', async () => {
    const args = ['train', '--config', 'config.json', '--out', 'runs/none']
    const { code, stderr } = await eigenae(args, { cwd: home, env: { EIGENAE_AUTO_DEVICE: 'gpu' } })
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('EIGENAE_AUTO_DEVICE: there is no device "gpu"'),
    ])
  })
})
