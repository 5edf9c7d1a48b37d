import { execFile } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseSetting } from '../src/config/load.js'
import { configText } from '../src/config/schema.js'
import { readSweepFile, sweepJsonSchema } from '../src/config/sweep.js'
import { findGpus, slotsFor } from '../src/launchers/local.js'
import { planSweep } from '../src/sweeps/plan.js'
import { call, configs, eigenae, scratchFolder, start } from './support/cli.js'
import { holdAt } from './support/hold.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'
import { expectSameRuns, killIfThere, readJson, tinyConfigs, until, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const variants = { none: 'none.json', eigen: 'eigen.json' }

beforeAll(() => tinyConfigs(scratch(), 2))

const file = (name: string, content: object) =>
  writeJson(scratch(`${name}.json`), { name, variants, ...content })
const sweep = (config: string, ...args: readonly string[]) =>
  eigenae(['sweep', '--config', config, ...args], { cwd: scratch() })
const folderOf = (...names: readonly string[]) => scratch('runs', ...names)

describe('the plan of a sweep', () => {
  it('is listed by --dry-run with name, state and settings, and nothing is written', async () => {
    const config = file('listed', { grid: { 'train.batchSize': [20, 50] }, seeds: [0, 7] })
    const { code, stdout, stderr } = await sweep(config, '--dry-run')
    expect(code).toBe(0)
    const [header, ...rows] = stdout.trimEnd().split('\n')
    expect(header!.split(/ {2,}/)).toEqual(['run', 'state', 'what differs'])
    expect(rows.length).toBe(8)
    expect(rows.at(-1)!.split(/ {2,}/)).toEqual(['eigen,train.batchSize=50/seed-7', 'to do', 'eigen=top-k'])
    expect(stderr).toContain('runs/listed: 8 runs: 0 done, 8 to do')
    const single = await sweep(file('single', { variants: { none: 'none.json' } }), '--dry-run')
    expect(single.stderr).toContain('1 run: 0 done, 1 to do')
    expect(existsSync(folderOf('listed'))).toBe(false)
  })

  it('is listed in lines of at most 100 columns', async () => {
    const widths = [3, 4, 5, 6].map((latent) => [784, 128, 64, 12, latent])
    const grid = {
      'model.widths': widths,
      'optimizer.learningRate': [0.001, 0.002],
      'data.noise': [0.1, 0.2],
    }
    const { code, stdout } = await sweep(file('long', { grid }), '--dry-run')
    const lines = stdout.trimEnd().split('\n')
    expect([code, lines.length]).toEqual([0, 1 + 2 * 4 * 2 * 2])
    expect(new Set(lines).size).toBe(lines.length)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100)
  })

  it('is counted before it is expanded, and refused above 100,000 runs', async () => {
    const count = (length: number) => Array.from({ length }, (_, i) => i + 20)
    const grid = { 'train.batchSize': count(3000), 'data.limit': count(4000) }
    for (const flags of [[], ['--dry-run']]) {
      const { code, stdout, stderr } = await sweep(file('huge', { grid }), ...flags)
      expect(stderr).toContain('huge.json: this sweep has 24,000,000 runs, more than the limit of 100,000')
      expect(stderr).toContain(
        '2 configs × 3,000 values of train.batchSize × 4,000 values of data.limit × 1 seed',
      )
      expect([code, stdout]).toEqual([2, ''])
    }
    expect(existsSync(folderOf('huge'))).toBe(false)
  })

  it('lists the mistakes of all runs, each once, and writes nothing', async () => {
    const arms = { ...variants, missing: 'missing.json' }
    const grid = { 'train.batchSize': [2, 0, 50], 'train.epoch': [1] }
    const { code, stderr } = await sweep(file('wrong', { variants: arms, grid, seeds: [0, 1] }))
    expect(code).toBe(2)
    expect(stderr.match(/grid train\.epoch: unknown key; did you mean "epochs"/g)?.length).toBe(2)
    expect(stderr.match(/grid train\.batchSize: must be at least 1 \(got 0\)/g)?.length).toBe(2)
    expect(stderr).toContain('variants.missing: ')
    expect(existsSync(folderOf('wrong'))).toBe(false)
    const batch = await sweep(file('batch', { grid: { 'train.batchSize': [2] } }))
    expect(batch.stderr).toMatch(/variants\.eigen .*grid train\.batchSize: must be over 4, the latent size/)
  })

  it('refuses a field of an eigen loss for a config without one, in the grid and by --set', async () => {
    const refusal =
      'the config has no loss.eigen; set loss.eigen.kind as well to add one, or keep the variant out with "fixed"\n'
    const inGrid = await sweep(file('given', { grid: { 'loss.eigen.weight': [0.5, 1] } }), '--dry-run')
    expect(inGrid.stderr).toContain(
      `  variants.none (${scratch('none.json')}): grid loss.eigen.weight: ${refusal}`,
    )
    const bySetting = await sweep(file('given', {}), '--dry-run', '--set', 'loss.eigen.weight=0.5')
    expect(bySetting.stderr).toContain(`--set loss.eigen.weight: ${refusal}`)
    expect([inGrid.code, bySetting.code]).toEqual([2, 2])
  })

  it('notes that a kind that is set for all configs adds an eigen loss to one without', async () => {
    const grid = { 'loss.eigen.kind': ['entropy', 'log-max'] }
    const { stderr } = await sweep(file('given', { grid }), '--dry-run', '--set', 'loss.eigen.weight=0.5')
    expect(stderr.match(/^note: .*$/gm)).toEqual([
      "note: the grid's loss.eigen.kind adds an eigen loss to variants.none, whose config has none",
    ])
    const eigen = { kind: 'top-k', k: 2 }
    const notesOf = async (content: object, ...settings: readonly string[]) =>
      (await planSweep(await readSweepFile(file('given', content)), settings.map(parseSetting))).notes
    for (const [source, notes] of [
      ['--set loss.eigen.kind', await notesOf({}, 'loss.eigen.kind=entropy')],
      ['--set loss.eigen', await notesOf({}, `loss.eigen=${JSON.stringify(eigen)}`)],
      ['--set loss', await notesOf({}, `loss=${JSON.stringify({ eigen })}`)],
      ["the grid's loss.eigen", await notesOf({ grid: { 'loss.eigen': [null, eigen] } })],
    ] as const)
      expect(notes).toEqual([`${source} adds an eigen loss to variants.none, whose config has none`])
    expect(await notesOf({}, 'loss.eigen=null')).toEqual([])
  })

  it('leaves the fields that a variant fixes as its config has them', async () => {
    const none = { config: 'none.json', fixed: ['loss.eigen'] }
    const grid = { 'loss.eigen.weight': [0.5, 1], 'train.batchSize': [20, 50] }
    const config = file('fixed', { variants: { ...variants, none }, grid, seeds: [0] })
    const { runs } = await planSweep(await readSweepFile(config), [parseSetting('loss.eigen.center=true')])
    expect(runs.map(({ name }) => name)).toEqual([
      'none,train.batchSize=20/seed-0',
      'none,train.batchSize=50/seed-0',
      'eigen,loss.eigen.weight=0.5,train.batchSize=20/seed-0',
      'eigen,loss.eigen.weight=0.5,train.batchSize=50/seed-0',
      'eigen,loss.eigen.weight=1,train.batchSize=20/seed-0',
      'eigen,loss.eigen.weight=1,train.batchSize=50/seed-0',
    ])
    expect(runs.map(({ config: { loss } }) => loss.eigen)).toEqual([
      ...[null, null],
      ...[0.5, 0.5, 1, 1].map((weight) => expect.objectContaining({ weight, center: true })),
    ])
    const alone = await sweep(file('alone', { variants: { none } }), '--set', 'loss.eigen.kind=entropy')
    expect(alone.stderr).toContain('--set loss.eigen.kind: is fixed in every variant of the sweep file\n')
  })

  it('refuses an eigen loss without effect that a user wrote, and names the arms of a grid of widths', async () => {
    const grid = {
      'model.widths': [
        [784, 8, 2],
        [784, 8, 4],
        [784, 12, 2],
      ],
    }
    const { code, stderr } = await sweep(file('widths', { grid }), '--dry-run')
    expect([code, stderr.match(/^note: .*$/gm)]).toEqual([
      0,
      [
        'note: eigen,model.widths=784-8-2, eigen,model.widths=784-12-2: loss.eigen: has no effect on latent (width 2), where top-k with k = 2 is constant',
      ],
    ])
    const set = await sweep(file('widths', {}), '--dry-run', '--set', 'model.widths=[784,8,2]')
    expect([set.code, set.stderr]).toEqual([
      0,
      expect.stringContaining('note: eigen: loss.eigen: has no effect'),
    ])
    const own = writeJson(scratch('own.json'), {
      name: 'own',
      model: { widths: [784, 8, 2] },
      loss: { eigen: {} },
    })
    const written = await sweep(file('written', { variants: { own } }), '--dry-run')
    expect([written.code, written.stderr]).toEqual([
      2,
      expect.stringContaining(
        'loss.eigen: has no effect on latent (width 2), where top-k with k = 2 is constant\n',
      ),
    ])
    const inGrid = await sweep(
      file('widths', { variants: { eigen: 'eigen.json' }, grid: { 'loss.eigen.k': [2, 4] } }),
    )
    const advice = '; choose other values, or keep the variant out with "fixed"\n'
    const place = `(${scratch('eigen.json')}): grid`
    expect([inGrid.code, inGrid.stderr]).toEqual([
      2,
      expect.stringContaining(
        `eigen,loss.eigen.k=4 ${place} loss.eigen.k: loss.eigen: has no effect on latent (width 4), where top-k with k = 4 is constant${advice}`,
      ),
    ])
    const narrow = await sweep(
      file('widths', {
        grid: {
          'model.widths': [
            [784, 1],
            [784, 4],
          ],
        },
      }),
    )
    expect([narrow.code, narrow.stderr]).toEqual([
      2,
      expect.stringContaining(
        `eigen,model.widths=784-1 ${place} model.widths: loss.eigen.k: must be under 1, the latent's width (got 2)${advice}`,
      ),
    ])
  })

  it('rejects a --set of a field that the sweep file sets', async () => {
    const config = file('overruled', { grid: { 'train.batchSize': [20, 50] }, seeds: [0] })
    const { code, stderr } = await sweep(config, '--dry-run', '--set', 'train.batchSize=7', '--set', 'seed=3')
    expect(stderr).toContain('--set train.batchSize: the grid of the sweep file sets train.batchSize')
    expect(stderr).toContain('--set seed: the sweep file sets the seeds')
    expect(code).toBe(2)
  })

  it('rejects runs that would share a folder', async () => {
    const grid = {
      'model.widths': [
        [784, 12, 4],
        [784, 12, 4],
      ],
    }
    const { code, stderr } = await sweep(file('shared', { grid, seeds: [3, 3] }))
    expect(code).toBe(2)
    expect(stderr).toContain('two runs would share the folder none,model.widths=784-12-4: duplicate value')
    expect(stderr).toContain('seeds: duplicate seed 3')
    const named = (a: number) => ({
      kind: 'formula',
      name: 'q',
      formula: 'a * sum(mean^2)',
      parameters: { a },
    })
    const ofSameName = await sweep(file('same-name', { grid: { 'loss.eigen': [named(1), named(2)] } }))
    expect(ofSameName.stderr).toContain(
      'two runs would share the folder none,loss.eigen=q: the values of loss.eigen are different eigen losses with the same name; give each its own\n',
    )
  })

  it('lists the mistakes in a sweep file with their locations', async () => {
    const wrong = writeJson(scratch('bad.json'), {
      name: 'bad',
      variant: {},
      grid: { seed: [1], 'a..b': [1] },
    })
    const { code, stderr } = await sweep(wrong)
    expect(code).toBe(2)
    expect(stderr).toContain('variant: unknown key; did you mean "variants"?')
    expect(stderr).toContain('grid.a..b: is not a config path')
    const grid = { train: [{ epochs: 1 }], 'train.batchSize': [64], toString: [1] }
    const nested = await sweep(file('nested', { grid }))
    expect(nested.stderr).toContain('grid.train: holds train.batchSize, which is an axis of its own')
    expect((await sweep(file('odd', { grid: { toString: [1] } }))).stderr).toContain(
      'grid toString: unknown key',
    )
    const names = file('names', { variants: { 'a/b': 'none.json' }, grid: { seed: [1], 'a..b': [1] } })
    const { stderr: message } = await sweep(names)
    expect(message).toMatch(/\d+:\d+ variants\.a\/b: may contain letters/)
    expect(message).toContain('the seeds are listed in "seeds"')
    expect(message).toContain('is not a config path')
  })

  it('has the seeds of a list, or of ranges as text, in the file or by --seeds', async () => {
    const seedsOf = async (config: string, ...args: readonly string[]) => {
      const { stdout, stderr } = await sweep(config, '--dry-run', ...args)
      const seeds = [...stdout.matchAll(/^none\/seed-(\d+) /gm)].map(([, seed]) => Number(seed))
      return seeds.length > 0 ? seeds : stderr
    }
    const ten = file('ten', { seeds: '0-9' })
    expect(await seedsOf(ten)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await seedsOf(file('mixed', { seeds: '7, 2-4' }))).toEqual([7, 2, 3, 4])
    expect(await seedsOf(ten, '--seeds', '100-101,5')).toEqual([100, 101, 5])
    expect(await seedsOf(ten, '--seeds', '1-3,2')).toContain('duplicate seed 2')
    for (const [text, problem] of [
      ['9-0', 'the range 9-0 has its larger number first'],
      ['0..9', 'must be whole numbers and ranges, like "0-9" or "0-4,7"'],
      ['0-4294967296', 'must be at most 4294967295'],
      ['0-99999,100000', 'must be at most 100000 seeds'],
    ] as const) {
      expect(await seedsOf(ten, '--seeds', text)).toContain(`--seeds: ${problem} (got "${text}")`)
      expect(await seedsOf(file('wrong-seeds', { seeds: text }))).toMatch(
        new RegExp(`\\d+:\\d+ seeds: ${problem} \\(got "${text}"\\)`),
      )
    }
    expect(await seedsOf(file('one-seed', { seeds: 3 }))).toContain(
      'seeds: must be a list of whole numbers, or text like "0-9" (got 3)',
    )
    expect(await seedsOf(file('negative', { seeds: [-1] }))).toContain('seeds.0: must be at least 0 (got -1)')
  })

  it('rejects a flag of another launcher, and an unknown launcher', async () => {
    const { code, stderr } = await sweep(file('flags', {}), '--mem', '4G')
    expect(stderr).toContain('--mem: requires --launcher slurm')
    expect(code).toBe(2)
    expect((await sweep(file('flags', {}), '--launcher', 'slurn')).code).toBe(2)
  })

  it('rejects --replicas if the device trains one run at a time', async () => {
    const { code, stderr } = await sweep(file('together', { seeds: [0, 1] }), '--replicas', '2')
    expect(code).toBe(2)
    expect(stderr).toContain('--replicas: the device auto trains one run at a time')
  })

  it('has an up-to-date JSON Schema for editors (npm run generate)', () => {
    expect(readJson(join(configs, 'sweeps', 'schema.json'))).toEqual(sweepJsonSchema())
  })

  it('can be made of every sweep file in configs/', async () => {
    for (const name of readdirSync(join(configs, 'sweeps')).filter((each) => each !== 'schema.json')) {
      const { runs } = await planSweep(await readSweepFile(join(configs, 'sweeps', name)), [])
      expect(runs.length, name).toBeGreaterThan(3)
    }
  })
})

/** Returns no children if the process has ended. */
function childrenOf(pid: number): readonly number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : []
}

describe('eigenae sweep', () => {
  const made = () => file('made', { seeds: [0] })
  let stdout: string
  beforeAll(async () => {
    stdout = (await sweep(made(), '--json')).stdout
  })

  it('saves the plan and prints events as JSON; without --resume a second one is refused', async () => {
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events[0]).toMatchObject({ event: 'planned', sweep: 'made', runs: 2, done: 0, launcher: 'local' })
    expect(events.filter(({ event }) => event === 'started').map(({ run }) => run)).toEqual([
      'none/seed-0',
      'eigen/seed-0',
    ])
    expect(events.filter(({ event }) => event === 'completed').length).toBe(2)
    expect(events.at(-1)).toMatchObject({ event: 'finished', completed: 2, failed: 0, left: 0 })
    expect(events.at(-1).runs_per_hour).toBeGreaterThan(0)
    const ofEigen = events.filter(({ run }) => run === 'eigen/seed-0')
    expect(ofEigen.map(({ event, epoch = '' }) => `${event} ${epoch}`.trimEnd())).toEqual([
      ...['started', 'epoch 1', 'epoch 2', 'completed'],
    ])
    expect(readJson(folderOf('made', 'sweep.json')).runs).toEqual(['none/seed-0', 'eigen/seed-0'])
    const again = await sweep(made())
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('already holds this sweep')
  })

  it('makes no run twice: --resume adds the new runs of the file and rejects runs of other configs', async () => {
    const grown = file('made', { seeds: [0, 1] })
    const before = readFileSync(folderOf('made', 'eigen', 'seed-0', 'run.json'))
    const { code, stderr, stdout: compared } = await sweep(grown, '--resume')
    expect(code).toBe(0)
    expect(stderr).toContain('4 runs, 2 done')
    expect(stderr).toContain('2 runs are new in the sweep file')
    expect(compared).toMatch(/^2 arms by noisy test MSE\narm .*\n(none|eigen) .* 2 .*\n(none|eigen) .* 2 /)
    expect(stderr).toContain('more: eigenae compare runs/made --out runs/made/comparison')
    expect(stderr).toContain('best: eigenae best runs/made --metric test_denoise_mse')
    expect(readFileSync(folderOf('made', 'eigen', 'seed-0', 'run.json'))).toEqual(before)
    expect((await sweep(grown, '--dry-run')).stderr).toContain('4 done, 0 to do')
    const other = await sweep(
      grown,
      '--resume',
      '--set',
      'loss.eigen.weight=0.5',
      '--set',
      'loss.eigen.kind=log-max',
    )
    expect(other.code).toBe(2)
    expect(other.stderr).toMatch(
      /eigen\/seed-0 \(completed\): loss\.eigen\.weight: 1 in the folder, 0\.5 now/,
    )
    expect(readFileSync(folderOf('made', 'eigen', 'seed-0', 'run.json'))).toEqual(before)
    const { command } = readJson(folderOf('made', 'eigen', 'seed-0', 'run.json'))
    expect([command.words.slice(0, 2), command.folder]).toEqual([['eigenae', 'sweep'], scratch()])
  })

  it("does not lend a run the name of another one's folder", async () => {
    cpSync(folderOf('made'), scratch('swapped'), { recursive: true })
    const swap = (seed: number) => {
      const [none, eigen] = ['none', 'eigen'].map((arm) => scratch('swapped', arm, `seed-${seed}`))
      renameSync(none!, scratch('swapped', 'other'))
      renameSync(eigen!, none!)
      renameSync(scratch('swapped', 'other'), eigen!)
    }
    const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })
    const config = (arm: string, seed: number) => `swapped/${arm}/seed-${seed}/config.json`
    swap(1)
    const compared = await run('compare', 'swapped', '--json')
    expect(compared.stderr).toContain(
      `left out of swapped/none: ${config('none', 1)}: is that of eigen/seed-1`,
    )
    expect(JSON.parse(compared.stdout).groups.map(({ seeds }: { seeds: unknown }) => seeds)).toEqual([
      [0],
      [0],
    ])
    const verified = await run('verify', 'swapped')
    expect(verified.code).toBe(1)
    expect(verified.stdout).toMatch(
      /^swapped\/eigen\/seed-0 +ok *\nswapped\/eigen\/seed-1 +damaged +config\.json is that of none\/seed-1 in/m,
    )
    expect(verified.stderr).toContain('Move such a run to the folder that sweep.json names')
    const listed = (await run('runs', 'swapped')).stderr
    expect(listed).toContain(`${config('none', 1)}: is that of eigen/seed-1`)
    expect(listed).toContain('Move such a run to the folder that sweep.json names')
    for (const args of [['embed'], ['export', '--format', 'onnx']]) {
      const { code, stderr } = await run(...args, 'swapped/none/seed-1', '--out', 'swapped-out.npy')
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining(`${config('none', 1)}: is that of eigen/seed-1`),
      ])
    }
    const evaluated = await run('eval', 'swapped', '--json')
    expect(evaluated.stderr).toContain(
      `${config('none', 1)}: is that of eigen/seed-1 in sweep.json; left out`,
    )
    const arms = JSON.parse(evaluated.stdout).map(({ arm }: { arm: unknown }) => arm)
    expect(arms).toEqual(['eigen', null, 'none', null])
    expect((await run('watch', 'swapped', '--terminal')).stdout).toContain('2 completed · 2 damaged')
    swap(0)
    for (const command of [['compare'], ['best', '--metric', 'test_mse']]) {
      const { code, stdout, stderr } = await run(...command, 'swapped')
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toContain(`${config('none', 0)}: is that of eigen/seed-0 in sweep.json`)
      expect(stderr).toMatch(
        /\nMove such a run to the folder that sweep\.json names, or out of the sweep\.\n$/,
      )
    }
    // A run that was named as such is compared with the plan too.
    const single = await run('explore', 'swapped/none/seed-0', '--out', scratch('page.html'))
    expect(single.stderr).toContain(`${config('none', 0)}: is that of eigen/seed-0 in sweep.json`)
  })

  it('refuses a folder that holds something else', async () => {
    await mkdir(folderOf('other'), { recursive: true })
    await writeFile(folderOf('other', 'notes.txt'), '')
    const { code, stderr } = await sweep(file('other', {}), '--resume')
    expect(code).toBe(2)
    expect(stderr).toContain('not the folder of a sweep')
  })

  it('waits for the runs that a killed sweep left running, and makes none of them twice', async () => {
    const config = file('orphans', { seeds: [0] })
    const args = ['--set', 'train.epochs=8', '--jobs', '2']
    const hold = holdAt(3, { run: 'eigen/seed-0' })
    const running = start(['sweep', '--config', config, ...args], { cwd: scratch(), env: hold.env })
    const orphan = await hold.reached()
    running.process.kill('SIGKILL')
    await running.finished
    const resumed = start(['sweep', '--config', config, ...args, '--resume'], { cwd: scratch() })
    const logged = () => readFileSync(folderOf('orphans', 'eigen', 'seed-0', 'train.log'), 'utf8')
    await until(() => (logged().includes('waiting for it to end') ? true : null), 'the wait')
    process.kill(orphan, 'SIGCONT')
    expect((await resumed.finished).code).toBe(0)
    const log = logged()
    expect(log).toContain('already complete')
    await rm(folderOf('orphans', 'eigen'), { recursive: true })
    expect((await sweep(config, ...args, '--resume')).stderr).toContain('2 runs, 1 done')
  })

  it('gives the same bytes after SIGKILL of the sweep and all its runs at random moments', async () => {
    const config = file('killed', { seeds: [0, 1] })
    const args = ['--set', 'train.epochs=20']
    const began = performance.now()
    await sweep(config, ...args, '--out', 'undisturbed')
    const whole = performance.now() - began
    for (let kill = 0; kill < 3; kill++) {
      const running = start(['sweep', '--config', config, ...args, '--resume'], { cwd: scratch() })
      await new Promise((resolve) => setTimeout(resolve, (0.1 + 0.2 * Math.random()) * whole))
      const children = childrenOf(running.process.pid!)
      running.process.kill('SIGKILL')
      for (const pid of children) killIfThere(pid, 'SIGKILL')
      await running.finished
    }
    expect((await sweep(config, ...args, '--resume')).code).toBe(0)
    const runs = readJson(folderOf('killed', 'sweep.json')).runs
    await expectSameRuns(runs, folderOf('killed'), scratch('undisturbed'))
  })

  it('takes over a folder locked by another machine a minute after its last sign of life', async () => {
    const lock = folderOf('elsewhere', 'none', 'seed-0', '.lock')
    const config = file('elsewhere', { variants: { none: 'none.json' }, seeds: [0] })
    writeJson(folderOf('elsewhere', 'sweep.json'), { format: 'eigenae-sweep-1', name: 'elsewhere', runs: [] })
    writeJson(lock, { pid: 1, host: 'elsewhere', space: 'elsewhere', born: '1' })
    // Three seconds remain of the minute. They are measured by the file system's clock, which is coarse.
    const lastUpdate = Date.now() - 57_000
    await utimes(lock, new Date(), new Date(lastUpdate))
    expect((await sweep(config, '--resume')).code).toBe(0)
    expect(Date.now() - lastUpdate).toBeGreaterThan(59_900)
  })
})

describe('slots', () => {
  const cores = availableParallelism()
  const slotsOf = async (more: { runs?: number; threads?: number; jobs?: number } = {}) => {
    const { runs } = await planSweep(await readSweepFile(file('slots', { seeds: [0] })), [])
    const configs = runs.map(({ config }) => ({ ...config, device: 'cpu' as const }))
    const defaults = { jobs: undefined, jobsPerGpu: undefined, threads: undefined }
    return slotsFor({ configs, runs: 100, ...defaults, ...more })
  }

  it('are one core per run, more cores if there are few runs, and as many as requested', async () => {
    expect((await slotsOf()).map(({ threads }) => threads)).toEqual(Array(cores).fill(1))
    expect((await slotsOf({ runs: 1 })).map(({ threads }) => threads)).toEqual([cores])
    expect((await slotsOf({ threads: cores })).length).toBe(1)
    expect((await slotsOf({ jobs: 3 })).length).toBe(3)
  })

  it('are one per GPU, or several, from CUDA_VISIBLE_DEVICES or nvidia-smi', async () => {
    expect((await findGpus({ CUDA_VISIBLE_DEVICES: '2,0' })).ids).toEqual(['2', '0'])
    expect((await findGpus({ CUDA_VISIBLE_DEVICES: '-1' })).ids).toEqual([])
    const smi = scratch('bin', 'nvidia-smi')
    await mkdir(scratch('bin'), { recursive: true })
    await writeFile(
      smi,
      '#!/bin/sh\nfor i in 0 1; do echo "$i, GPU-0$i, H100, 9.0, 81559, 81000, 570.86.15"; done\n',
      { mode: 0o755 },
    )
    const env = { PATH: `${scratch('bin')}:${process.env.PATH}` }
    const args = ['--device', 'cuda', '--jobs-per-gpu', '2', '--json']
    const { stdout } = await call(
      ['sweep', '--config', file('gpus', { seeds: [0, 1] }), '--out', scratch('gpus'), ...args],
      { env },
    )
    const started = stdout.split('\n').filter((line) => line.includes('"started"'))
    expect(new Set(started.map((line) => JSON.parse(line).where))).toEqual(new Set(['gpu 0', 'gpu 1']))
    expect(stdout).toContain('4 at once on gpu 0, gpu 1')
  })
})

describe('a sweep of ten thousand runs', () => {
  const noise = Array.from({ length: 100 }, (_, place) => place / 1000)
  const big = (seeds: number) =>
    file('big', { grid: { 'data.noise': noise }, seeds: Array.from({ length: seeds }, (_, i) => i) })

  it('is planned and inspected in a time that grows with their number, not with its square', async () => {
    const { runs } = await planSweep(await readSweepFile(big(50)), [])
    expect(runs.length).toBe(10_000)
    writeJson(folderOf('big', 'sweep.json'), { format: 'eigenae-sweep-1', name: 'big', runs: [] })
    // Writing all ten thousand folders would take far longer than inspecting them.
    for (const { name, config } of runs.slice(0, 200)) {
      writeRun(folderOf('big', name), { name: config.name, seed: config.seed, epochs: config.train.epochs })
      writeFileSync(folderOf('big', name, 'config.json'), configText(config))
      sealRun(folderOf('big', name))
    }
    const fewer = await timed(['sweep', '--config', big(10), '--dry-run'])
    const all = await timed(['sweep', '--config', big(50), '--dry-run'])
    expect(all.stderr).toContain('10,000 runs: 200 done, 9,800 to do')
    expect(all.seconds / fewer.seconds).toBeLessThan(10)
  })
})

/** Measures processor time, which does not depend on the other processes of the machine. */
async function timed(args: readonly string[]): Promise<{ stderr: string; seconds: number }> {
  const bin = join(configs, '..', 'bin', 'eigenae.js')
  const script = 'TIMEFORMAT="seconds %U %S"; time "$@"'
  const command = promisify(execFile)('bash', ['-c', script, 'bash', process.execPath, bin, ...args], {
    cwd: scratch(),
    maxBuffer: 2 ** 26,
  })
  const { stderr } = await command
  const [, user, system] = /seconds ([\d.]+) ([\d.]+)/.exec(stderr)!
  return { stderr, seconds: Number(user) + Number(system) }
}
