import { truncateSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { runFiles } from '../src/runs/files.js'
import { planFormat } from '../src/runs/sweep-plan.js'
import { eigenae, scratchFolder, start } from './support/cli.js'
import { trainArms } from './support/compared-arms.js'
import { describeUnless } from './support/requirements.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'
import { readJson, writeJson } from './support/sweeps.js'
import { noScript, onTerminal } from './support/terminal.js'

const scratch = scratchFolder()

const lastMetrics = async (folder: string) =>
  JSON.parse(await readFile(`${folder}/evaluation.json`, 'utf8')).metrics

describe('eigenae runs', () => {
  beforeAll(() => trainArms(scratch))

  it('lists every run with name, seed, status, epoch, device, test MSE and effective rank', async () => {
    const { code, stdout } = await eigenae(['runs'], { cwd: scratch() })
    const [header, ...rows] = stdout.trimEnd().split('\n')
    expect(code).toBe(0)
    expect(header!.split(/ {2,}/)).toEqual([
      'folder',
      'name',
      'seed',
      'status',
      'epoch',
      'device',
      'test MSE',
      'effective rank',
    ])
    expect(rows.length).toBe(5)
    expect(rows[0]).toMatch(/^baseline\/seed-0 +baseline +0 +completed +2\/2 +cpu +0\.\d+ +\d+\.\d\d$/)
    expect(rows[4]).toMatch(/^eigen\/seed-2 +eigen +0 +interrupted +\d+\/1000000 +cpu/)
  })

  it('prints the same as JSON', async () => {
    const { stdout } = await eigenae(['runs', scratch('runs', 'baseline'), '--json'])
    const metrics = await lastMetrics(scratch('runs', 'baseline', 'seed-1'))
    expect(JSON.parse(stdout)[1]).toMatchObject({ seed: 1, status: 'completed', test_mse: metrics.test_mse })
  })

  it('reports a folder without runs and a missing folder', async () => {
    await mkdir(scratch('empty'), { recursive: true })
    expect((await eigenae(['runs', scratch('empty')])).stderr).toContain('no runs in')
    const missing = await eigenae(['runs', scratch('missing')])
    expect(missing.stderr).toContain('missing: cannot read the folder: does not exist')
    expect(missing.code).toBe(2)
  })

  it('lists the other runs if a run.json is invalid, and names the invalid file', async () => {
    await mkdir(scratch('broken', 'b'), { recursive: true })
    await writeFile(scratch('broken', 'b', 'run.json'), '{}')
    writeRun(scratch('broken', 'a'))
    const { code, stdout, stderr } = await eigenae(['runs', scratch('broken')])
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^a +/)
    expect(stderr).toContain('1 of 2 runs cannot be read\n')
    expect(stderr).toContain('b/run.json: is not the record of an eigenae run')
    expect(code).toBe(1)
    const alone = await Promise.all(['runs', 'verify'].map((name) => eigenae([name, scratch('broken', 'b')])))
    expect(alone.map((each) => each.stderr)).toEqual([
      expect.stringContaining('b: 1 run cannot be read\n'),
      expect.stringMatching(/^eigenae: 1 run damaged\n/),
    ])
    const unmatched = await eigenae(['runs', scratch('broken', 'a'), '--where', 'seed=99'])
    expect(unmatched.stderr).toMatch(/^the run in .* does not match\n$/)
  })

  it('reads a table of 512 MiB, and refuses a larger one with its size', async () => {
    const { folder, metrics } = runFiles(writeRun(scratch('long', 'run')))
    truncateSync(metrics, 512 << 20)
    sealRun(folder)
    const { stdout, stderr } = await eigenae(['runs', 'long'], { cwd: scratch() })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/ completed +3\/3 /)
    truncateSync(metrics, (512 << 20) + 1)
    const larger = await eigenae(['runs', 'long'], { cwd: scratch() })
    expect(larger.stderr).toContain(
      'metrics.csv has 536870913 bytes, more than the 536870912 that eigenae reads',
    )
  })

  it('refuses a run.json that names files outside the run', async () => {
    const run = writeRun(scratch('outward', 'run'))
    const record = readJson(join(run, 'run.json'))
    const sum = { bytes: 1, sha256: '' }
    for (const name of ['../../secret', '/etc/passwd', 'checkpoint/..', 'a\n/../../b', 'a/..\\..\\b']) {
      writeJson(join(run, 'run.json'), { ...record, files: { [name]: sum } })
      const { stdout } = await eigenae(['verify', 'outward'], { cwd: scratch() })
      expect(stdout).toMatch(/ damaged +run\.json /)
      expect(stdout).not.toContain(name)
    }
  })

  it('lists a run that is a symbolic link to a folder', async () => {
    await mkdir(scratch('links'))
    await symlink(scratch('runs/baseline/seed-0'), scratch('links', 'linked'))
    expect((await eigenae(['runs', scratch('links')])).stdout).toMatch(/^linked +/m)
  })

  it('exits without a message if its reader closes the output', async () => {
    const running = start(['runs', scratch('runs')])
    running.process.stdout?.destroy()
    const { stderr } = await running.finished
    expect(stderr).toBe('')
  })

  it('lists 1,000 runs', async () => {
    for (let run = 0; run < 1000; run++) writeRun(scratch('thousand', `run-${run}`))
    const listed = await eigenae(['runs', 'thousand'], { cwd: scratch() })
    expect(listed.stdout.trimEnd().split('\n').length).toBe(1001)
  })
})

describeUnless(noScript, 'eigenae runs on a terminal', () => {
  const shown = (columns: number, ...args: readonly string[]) =>
    onTerminal(['runs', ...args], { cwd: scratch(), columns, env: { TERM: 'xterm', NO_COLOR: '' } })

  beforeAll(() => {
    const grid = { 'loss.eigen.weight': [0.001, 1], 'optimizer.learningRate': [0.001] }
    const arms = grid['loss.eigen.weight'].map(
      (weight) => `eigen,loss.eigen.weight=${weight},optimizer.learningRate=0.001`,
    )
    for (const arm of arms)
      for (const seed of [0, 1]) writeRun(scratch('grid', arm, `seed-${seed}`), { seed })
    const runs = arms.flatMap((arm) => [0, 1].map((seed) => `${arm}/seed-${seed}`))
    writeJson(scratch('grid/sweep.json'), { format: planFormat, name: 'grid', grid, runs })
    for (const status of ['completed', 'failed', 'interrupted'] as const)
      writeRun(scratch('ended', status), { status })
  })

  it('shows folders if they fit, and otherwise the names of the arms, with common values in a line', async () => {
    expect((await shown(160, 'grid')).lines[1]).toMatch(
      /^eigen,loss\.eigen\.weight=0\.001,optimizer\.learningRate=0\.001\/seed-0 +fake/,
    )
    const { lines } = await shown(80, 'grid')
    expect(lines[2]).toMatch(/^eigen weight=0\.001 learningRate=0\.001\/seed-0 +0 +0\.03000/)
    expect(lines).toContain('All runs have name fake, status completed, epoch 3/3 and device cpu.')
    expect(Math.max(...lines.map((line) => line.trimEnd().length))).toBeLessThanOrEqual(80)
  })

  it('shows failed and interrupted runs in colours', async () => {
    const { output } = await shown(100, 'ended')
    expect(output).toContain('\x1b[31mfailed\x1b[39m')
    expect(output).toContain('\x1b[33minterrupted\x1b[39m')
    expect(output).not.toContain('mcompleted')
    expect((await eigenae(['runs', 'ended'], { cwd: scratch() })).stdout).not.toContain('\x1b')
  })
})
