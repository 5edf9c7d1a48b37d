import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withChecksum } from '../src/runs/record.js'
import { planFormat } from '../src/runs/sweep-plan.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'
import { readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const bin = join(import.meta.dirname, '../bin/eigenae.js')
const scratch = scratchFolder()
const compare = (...args: readonly string[]) => eigenae(['compare', ...args, '--json'], { cwd: scratch() })

async function groupsOf(...args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await compare(...args)
  return JSON.parse(stdout).groups.map(({ group }: { group: string }) => group)
}

const rates = ['1e-05', '0.001', '0.003', '0.01', '0.03', '0.1', '0.3', '1', '3']

describe('the order of runs', () => {
  it('is numeric for decimals, exponents and seeds', async () => {
    for (const [place, rate] of rates.entries()) {
      writeRun(scratch('rates', `none,optimizer.learningRate=${rate}`, `seed-${place}`))
    }
    for (const seed of [2, 10]) writeRun(scratch('seeds', `seed-${seed}`), { seed })
    const arms = rates.map((rate) => `none,optimizer.learningRate=${rate}`)
    expect(await groupsOf('rates')).toEqual(arms.map((arm) => `rates/${arm}`))
    const { stdout } = await eigenae(['runs', scratch('rates')])
    expect(
      stdout
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split('/')[0]),
    ).toEqual(arms)
    const seeds = await eigenae(['runs', scratch('seeds'), '--json'])
    expect(JSON.parse(seeds.stdout).map(({ seed }: { seed: number }) => seed)).toEqual([2, 10])
  })
})

describe('the arms of a sweep', () => {
  const arms = ['none,train.batchSize=256', 'none,train.batchSize=64', 'eigen,train.batchSize=256']

  beforeAll(() => {
    for (const arm of [...arms, 'added']) {
      for (const seed of [0, 1]) writeRun(scratch('sweep', arm, `seed-${seed}`), { seed })
    }
    const runs = [0, 1].flatMap((seed) => arms.map((arm) => `${arm}/seed-${seed}`))
    writeJson(scratch('sweep', 'sweep.json'), { format: planFormat, name: 'sweep', runs })
  })

  it('are in the order of the sweep file, and its first is the baseline', async () => {
    expect(await groupsOf('sweep')).toEqual([...arms, 'added'].map((arm) => `sweep/${arm}`))
    expect((await groupsOf('.')).filter((name) => name.startsWith('sweep/'))).toEqual(
      [...arms, 'added'].map((arm) => `sweep/${arm}`),
    )
    expect((await groupsOf('sweep', '--baseline', 'added'))[0]).toBe('sweep/added')
    const given = [`sweep/${arms[2]}`, `sweep/${arms[0]}`]
    expect(await groupsOf(...given)).toEqual(given)
  })

  it('have the first arm with a completed run as the baseline', async () => {
    for (const arm of arms) {
      writeRun(scratch('partly', arm, 'seed-0'), { status: arm === arms[0] ? 'failed' : 'completed' })
    }
    writeRun(scratch('partly', arms[0]!, 'seed-1'), { status: 'failed' })
    const runs = arms.map((arm) => `${arm}/seed-0`)
    writeJson(scratch('partly', 'sweep.json'), { format: planFormat, name: 'partly', runs })
    const { code, stderr, stdout } = await compare('partly')
    expect(code).toBe(0)
    expect(JSON.parse(stdout).baseline).toBe(`partly/${arms[1]}`)
    expect(stderr).toContain(`warning: left out: partly/${arms[0]}, failed\n`)
  })

  it('are in the order of their names, with a warning, if sweep.json is damaged', async () => {
    for (const arm of ['b', 'a']) writeRun(scratch('damaged', arm, 'seed-0'))
    for (const text of ['{"runs": [', '{"runs": 3}', '[]']) {
      writeFileSync(scratch('damaged', 'sweep.json'), text)
      const { code, stderr, stdout } = await compare('damaged')
      expect(code).toBe(0)
      expect(stderr).toMatch(
        /^warning: damaged\/sweep\.json: is not (valid JSON|the plan of a sweep); the arms are sorted by name, runs are not checked against the plan, and the baseline is damaged\/a\n$/,
      )
      expect(JSON.parse(stdout).baseline).toBe('damaged/a')
    }
  })

  it('do not follow a plan that was changed, or names other folders', async () => {
    for (const arm of ['b', 'a']) writeRun(scratch('changed', arm, 'seed-0'))
    writeRun(scratch('outside'))
    const fields = { format: planFormat, name: 'changed', runs: ['b/seed-0', 'a/seed-0'] }
    const sealed = withChecksum(fields)
    const cases = [
      [{ ...sealed, name: 'other' }, 'was changed (its checksum differs)'],
      [{ ...fields, runs: ['b/seed-0', 'a/seed-0', '../../outside'] }, 'is not the plan of a sweep'],
      [{ ...fields, runs: ['../seed-0'] }, 'is not the plan of a sweep'],
    ] as const
    for (const [plan, problem] of cases) {
      writeJson(scratch('changed', 'sweep.json'), plan)
      expect((await compare('changed')).stderr).toMatch(/^warning: .*; the arms are sorted by name, .*\n$/)
      const { stdout } = await eigenae(['watch', 'changed', '--terminal'], { cwd: scratch() })
      expect(stdout).toContain(`\nchanged/sweep.json: ${problem}`)
      expect(stdout).toContain('2 completed · 2 in all\n')
    }
  })

  it('are in the order of their names, with a warning, if sweep.json is missing', async () => {
    for (const arm of ['b', 'a'])
      writeFileSync(join(writeRun(scratch('gone', arm, 'seed-0')), 'train.log'), '')
    const { code, stderr, stdout } = await compare('gone')
    expect(code).toBe(0)
    expect(stderr).toBe(
      'warning: gone/sweep.json: is missing; the arms are sorted by name, runs are not checked against the plan, and the baseline is gone/a\n',
    )
    expect(JSON.parse(stdout).baseline).toBe('gone/a')
    const verified = await eigenae(['verify', 'gone'], { cwd: scratch() })
    expect(verified.stderr).toContain('gone/sweep.json: is missing')
  })
})

/** Writes the runs of a sweep of two arms and two seeds, with the checksums of their configs in its sweep.json. */
function plannedSweep(folder: string): void {
  const names = ['none', 'eigen'].flatMap((arm) => [0, 1].map((seed) => ({ arm, seed })))
  const configs = names.map(({ arm, seed }) => {
    const run = writeRun(scratch(folder, arm, `seed-${seed}`), { name: arm, seed })
    sealRun(run)
    writeFileSync(join(run, 'train.log'), '')
    return [`${arm}/seed-${seed}`, readJson(join(run, 'run.json')).configSha256]
  })
  const runs = configs.map(([name]) => name)
  const plan = { format: planFormat, name: folder, runs, configs: Object.fromEntries(configs) }
  writeJson(scratch(folder, 'sweep.json'), withChecksum(plan))
}

describe('the runs of a sweep', () => {
  const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })

  it('do not count under a name that sweep.json does not list', async () => {
    plannedSweep('listed')
    renameSync(scratch('listed/none/seed-1'), scratch('listed/none/seed-7'))
    cpSync(scratch('listed/eigen/seed-0'), scratch('listed/none/seed-9'), { recursive: true })
    // A run of a config that no planned run has may be added to the folder.
    sealRun(writeRun(scratch('listed/added/seed-0'), { name: 'added' }))
    const compared = await compare('listed')
    const groups: readonly { readonly group: string; readonly seeds: readonly number[] }[] = JSON.parse(
      compared.stdout,
    ).groups
    expect(groups.map(({ group, seeds }) => [group, seeds])).toEqual([
      ['listed/none', [0]],
      ['listed/eigen', [0, 1]],
      ['listed/added', [0]],
    ])
    expect(compared.stderr).toContain('none/seed-7/config.json: is that of none/seed-1 in sweep.json')
    expect(compared.stderr).toContain('none/seed-9/config.json: is that of eigen/seed-0 in sweep.json')
    const verified = await run('verify', 'listed')
    expect(verified.stdout).toContain('config.json is that of none/seed-1 in sweep.json')
    expect(verified.stderr).toContain(
      'listed/sweep.json: 1 of its 4 runs is missing: none/seed-1; "sweep … --resume" trains what is missing\n',
    )
  })

  it('have their sweep.json above the working folder too', async () => {
    plannedSweep('above')
    const { stdout, stderr } = await eigenae(['verify', '.'], { cwd: scratch('above/none') })
    expect(stdout).toMatch(/^seed-0 /)
    expect(stderr).not.toContain('sweep.json: is missing')
  })

  it('are not reproduced, exported or listed as completed under the name of another one', async () => {
    plannedSweep('copied')
    cpSync(scratch('copied/eigen/seed-0'), scratch('copied/none/seed-9'), { recursive: true })
    const refusal = 'copied/none/seed-9/config.json: is that of eigen/seed-0 in sweep.json'
    const reproduced = await run('reproduce', 'copied/none/seed-9')
    expect([reproduced.code, reproduced.stdout]).toEqual([1, ''])
    expect(reproduced.stderr).toContain(`${refusal}\n`)
    const exported = await run('export', 'copied/none', '--format', 'tensorboard', '--out', 'logs')
    expect(exported.code).toBe(1)
    expect(exported.stderr).toContain(refusal)
    expect([0, 1, 9].map((seed) => existsSync(scratch(`logs/seed-${seed}`)))).toEqual([true, true, false])
    const listed = await run('runs', 'copied/none', '--json')
    expect(JSON.parse(listed.stdout).map(({ status }: { status: string }) => status)).toEqual([
      'completed',
      'completed',
      'damaged',
    ])
    expect(listed.stderr).toMatch(new RegExp(`^warning: ${refusal}\nMove such a run to the folder`))
  })

  it('are counted by watch if they are in the folder that it follows', async () => {
    plannedSweep('followed')
    rmSync(scratch('followed/none/seed-1'), { recursive: true })
    for (const [folder, name, runs] of [
      ['.', 'followed/none', 2],
      ['followed/none', '.', 2],
      ['followed', 'none/seed-0', 1],
    ] as const) {
      const { stdout } = await eigenae(['watch', name, '--terminal'], { cwd: scratch(folder) })
      const waiting = runs === 2 ? ' · 1 waiting' : ''
      expect(stdout).toContain(`1 completed${waiting} · ${runs} in all\n`)
    }
  })

  it('are not checked, with a warning of each command, if sweep.json is damaged', async () => {
    plannedSweep('unchecked')
    writeJson(scratch('unchecked/sweep.json'), {
      ...readJson(scratch('unchecked/sweep.json')),
      name: 'other',
    })
    const warning =
      'warning: unchecked/sweep.json: was changed (its checksum differs); runs are not checked against the plan'
    const baseline = ', and the baseline is unchecked/none'
    for (const [args, end] of [
      [['compare', 'unchecked/none', 'unchecked/eigen'], baseline],
      [['best', 'unchecked/none/seed-0', '--metric', 'test_mse'], `${baseline}/seed-0`],
      [['verify', 'unchecked/none'], ''],
      [['runs', 'unchecked/none'], ''],
    ] as const)
      expect((await run(...args)).stderr).toContain(`${warning}${end}\n`)
    // The sweep file of a user, above a run that no sweep made.
    writeRun(scratch('single/runs/first'))
    writeJson(scratch('single/sweep.json'), { name: 'single', variants: {} })
    expect((await run('runs', 'single/runs')).stderr).toBe('')
  })

  it('are tested against another arm, with a warning, if the baseline has no folder', async () => {
    plannedSweep('renamed')
    renameSync(scratch('renamed/none'), scratch('renamed/nonee'))
    const whole = await compare('renamed')
    expect(JSON.parse(whole.stdout).baseline).toBe('renamed/eigen')
    expect(whole.stderr).toContain(
      'warning: the baseline renamed/none has no completed run: the arms are tested against renamed/eigen\n',
    )
    // An arm that the user names is the baseline because it was named.
    expect((await compare('renamed/eigen')).stderr).toBe('')
  })
})

/** Takes from root the capability to read every folder. */
const withoutOverride =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []

/** Runs the command line as a user to whom permissions apply. */
async function eigenaeAsUser(...args: readonly string[]) {
  const [program, ...words] = [...withoutOverride, process.execPath, bin, ...args]
  const child = spawn(program!, words, { cwd: scratch() })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code, stdout, stderr }
}

describe('a folder without permission', () => {
  beforeAll(() => {
    for (const arm of ['a', 'b', 'c']) writeRun(scratch('mixed', arm, 'seed-0'))
    mkdirSync(scratch('closed'))
    writeRun(scratch('closed', 'b'))
    for (const folder of [scratch('mixed', 'b'), scratch('closed', 'b')]) chmodSync(folder, 0)
  })
  afterAll(() => {
    for (const folder of [scratch('mixed', 'b'), scratch('closed', 'b')]) chmodSync(folder, 0o700)
  })

  it('is named by an export below it, and by one that would replace a folder in it', async () => {
    mkdirSync(scratch('parent', 'mine'), { recursive: true })
    chmodSync(scratch('parent'), 0o500)
    const exported = (out: string) =>
      eigenaeAsUser('export', 'mixed/a/seed-0', '--format', 'tensorboard', '--out', out)
    const [below, existing] = [await exported('parent/new'), await exported('parent/mine')]
    chmodSync(scratch('parent'), 0o700)
    expect(below.stderr).toContain(`${scratch('parent')}: cannot make a folder in it: permission denied\n`)
    expect(existing.stderr).toContain(
      `parent/mine: cannot be replaced: ${scratch('parent')} is not writable\nName a folder inside it`,
    )
    expect([below.code, existing.code]).toEqual([1, 2])
  })

  it('does not hide other runs from runs, which fails after listing them', async () => {
    const { code, stdout, stderr } = await eigenaeAsUser('runs', 'mixed')
    const listed = stdout.split('\n').slice(1, -1)
    expect(listed.map((line) => line.split(' ')[0])).toEqual(['a/seed-0', 'c/seed-0'])
    expect(stderr).toBe(
      `eigenae: mixed: 1 folder in it cannot be read
  mixed/b: cannot read the folder: permission denied
Choose another path, or change its permissions.
`,
    )
    expect(code).toBe(1)
  })

  it('causes a warning of compare', async () => {
    const { code, stdout, stderr } = await eigenaeAsUser('compare', 'mixed', '--json')
    const warning = 'left out: mixed/b: cannot read the folder: permission denied'
    expect(stderr).toBe(`warning: ${warning}\n`)
    expect(JSON.parse(stdout)).toMatchObject({ warnings: [warning], baseline: 'mixed/a' })
    expect(code).toBe(0)
  })

  it('makes eval fail after measuring the others, and embed at once', async () => {
    tinyConfigs(scratch('tiny'), 1)
    const args = ['--config', scratch('tiny', 'none.json'), '--out', scratch('trained', 'a')]
    expect((await eigenae(['train', ...args])).code).toBe(0)
    mkdirSync(scratch('trained', 'b'), 0)
    const problem = 'eigenae: trained/b: cannot read the folder: permission denied\n'
    const measured = await eigenaeAsUser('eval', 'trained')
    expect(measured.stdout).toMatch(/^trained\/a +1 /m)
    expect(measured.stderr).toContain(problem)
    expect(measured.code).toBe(1)
    const embedded = await eigenaeAsUser('embed', 'trained', '--out', 'embedding.csv')
    expect(embedded.stderr).toContain(problem)
    expect(embedded.code).toBe(1)
    chmodSync(scratch('trained', 'b'), 0o700)
  })

  it('is named if no other run is found', async () => {
    const { code, stderr } = await eigenaeAsUser('compare', 'closed')
    expect(stderr).toContain('closed: holds no run\n  closed/b: cannot read the folder: permission denied\n')
    expect(code).toBe(2)
  })
})
