import { existsSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ownProcessTag } from '../src/files/processes.js'
import { comparisonPictures } from '../src/plots/comparison.js'
import { eigenae, scratchFolder, start, trainArgs } from './support/cli.js'
import { writeRun } from './support/run-folder.js'

const scratch = scratchFolder()
const small = ['data.limit=300', 'train.epochs=2']

beforeAll(async () => {
  for (const config of ['baseline', 'eigen']) {
    for (const seed of [0, 1]) {
      const folder = scratch('runs', config, `seed-${seed}`)
      await eigenae([...trainArgs(`${config}.json`, folder, ...small), '--seed', String(seed)])
    }
  }
  const killed = scratch('runs', 'eigen', 'seed-2')
  const running = start(trainArgs('eigen.json', killed, 'data.limit=3000', 'train.epochs=1000000'))
  await running.says('epoch       1/1000000')
  running.process.kill('SIGKILL')
  await running.finished
})

const lastMetrics = async (folder: string) =>
  JSON.parse(await readFile(`${folder}/evaluation.json`, 'utf8')).metrics

describe('eigenae runs', () => {
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

  it('gives the same as JSON', async () => {
    const { stdout } = await eigenae(['runs', scratch('runs', 'baseline'), '--json'])
    const metrics = await lastMetrics(scratch('runs', 'baseline', 'seed-1'))
    expect(JSON.parse(stdout)[1]).toMatchObject({ seed: 1, status: 'completed', test_mse: metrics.test_mse })
  })

  it('says so where there is none, and where there is no folder', async () => {
    await mkdir(scratch('empty'), { recursive: true })
    expect((await eigenae(['runs', scratch('empty')])).stderr).toContain('no runs in')
    const missing = await eigenae(['runs', scratch('missing')])
    expect(missing.stderr).toContain('missing: cannot read the folder: does not exist')
    expect(missing.code).toBe(2)
  })

  it('lists the others beside a run.json that is none, and names that', async () => {
    await mkdir(scratch('broken', 'b'), { recursive: true })
    await writeFile(scratch('broken', 'b', 'run.json'), '{}')
    writeRun(scratch('broken', 'a'))
    const { code, stdout, stderr } = await eigenae(['runs', scratch('broken')])
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^a +/)
    expect(stderr).toContain('1 of 2 runs cannot be read\n')
    expect(stderr).toContain('b/run.json: this is not the run.json of an eigenae run')
    expect(code).toBe(1)
  })
})

const [mseOfNone, mseOfEigen] = [
  [0.0265, 0.0268, 0.0271],
  [0.0312, 0.0293, 0.0301],
]

beforeAll(() => {
  const topK = { kind: 'top-k', k: 2, weight: 1, center: false }
  for (const seed of [0, 1, 2]) {
    writeRun(scratch('arms', 'none', `seed-${seed}`), { seed, testMse: mseOfNone[seed]! })
    writeRun(scratch('arms', 'eigen', `seed-${seed}`), { seed, testMse: mseOfEigen[seed]!, eigen: topK })
  }
  writeRun(scratch('arms', 'eigen', 'seed-3'), { seed: 3, status: 'failed', eigen: topK })
  writeRun(scratch('arms', 'norm', 'seed-7'), { seed: 7, testMse: 0.0171, batchNorm: 'all' })
})

const compare = (...args: readonly string[]) => eigenae(['compare', ...args], { cwd: scratch() })
const three = ['arms/none', 'arms/eigen', 'arms/norm']

describe('eigenae compare', () => {
  it('compares runs that were trained', async () => {
    const { code, stdout, stderr } = await compare('runs/baseline', 'runs/eigen', '--json')
    const [a, b] = await Promise.all([0, 1].map((seed) => lastMetrics(scratch(`runs/baseline/seed-${seed}`))))
    const row = JSON.parse(stdout).rows.find((each: { metric: string }) => each.metric === 'test_mse')
    expect(code).toBe(0)
    expect(stderr).toContain('left out of runs/eigen: runs/eigen/seed-2 is interrupted')
    expect(row).toMatchObject({ group: 'runs/baseline', n: 2, difference: null, p_value: null })
    expect(row.mean).toBeCloseTo((a.test_mse + b.test_mse) / 2, 12)
    expect(row.sd).toBeCloseTo(Math.abs(a.test_mse - b.test_mse) / Math.SQRT2, 12)
  })

  it('prints a table of at most 80 columns with what differs, the best and the test against the baseline', async () => {
    const { stdout } = await compare(...three, '--metric', 'test_mse')
    const lines = stdout.trimEnd().split('\n')
    expect(lines[1]).toMatch(/^none +batchNorm=none eigen=none +3 +▇▅▃ +█▆▅▃$/)
    expect(lines[2]).toMatch(/^eigen +eigen=top-k +3 +/)
    expect(lines[3]).toMatch(/^norm +batchNorm=all +1 +/)
    expect(stdout).toContain('test MSE, clean input, lower is better (test_mse)')
    expect(stdout).toMatch(/^ {2}batchNorm=none eigen=none +3 +0\.02680 ± 0\.00075 +– +– +–$/m)
    expect(stdout).toMatch(/^ {2}eigen=top-k +3 +0\.0302 ± 0\.0024 +\+0\.00340 +0\.0\d\d +\+\d\.\d$/m)
    expect(stdout).toMatch(/^\* batchNorm=all +1 +0\.01710 +−0\.00970 +– +–$/m)
    expect(stdout).toContain('n = 1: one seed, so no interval and no test.')
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(80)
  })

  it('tests by pairs where the seeds are the same, and by Welch where they are not', async () => {
    writeRun(scratch('arms', 'other', 'seed-5'), { seed: 5, testMse: 0.031 })
    writeRun(scratch('arms', 'other', 'seed-6'), { seed: 6, testMse: 0.033 })
    const { stdout } = await compare(...three, 'arms/other', '--metric', 'test_mse', '--json')
    const tests = JSON.parse(stdout).rows.map((row: { test: string | null }) => row.test)
    expect(tests).toEqual([null, 'paired', null, 'welch'])
  })

  it('takes the baseline that is named, and puts it first', async () => {
    const { stdout } = await compare('arms/none', 'arms/eigen', '--baseline', 'arms/eigen/', '--json')
    const { baseline, groups } = JSON.parse(stdout)
    expect(baseline).toBe('arms/eigen')
    expect(groups.map(({ group }: { group: string }) => group)).toEqual(['arms/eigen', 'arms/none'])
    const several = await compare('arms/none', '--baseline', 'arms')
    expect(several.stderr).toContain('--baseline arms: holds 4 groups')
    expect(several.code).toBe(2)
    const byName = await compare('arms/none', 'arms/eigen', '--baseline', 'eigen', '--json')
    expect(JSON.parse(byName.stdout).baseline).toBe('arms/eigen')
    const nobody = await compare('arms/none', 'arms/eigen', '--baseline', 'eigne')
    expect(nobody.stderr).toBe(
      'eigenae: --baseline eigne: is no folder of runs, and no arm\nThe arms: none, eigen.\n',
    )
    expect(nobody.code).toBe(2)
  })

  it('takes a folder of groups as each of them, and a run as a group of one', async () => {
    const { stdout } = await compare('arms', 'arms/none/seed-1', '--json')
    const sizes = JSON.parse(stdout).groups.map((each: { group: string; seeds: number[] }) => [
      each.group,
      each.seeds.length,
    ])
    expect(sizes.slice(-1)).toEqual([['arms/none/seed-1', 1]])
    expect(Object.fromEntries(sizes)).toMatchObject({ 'arms/none': 3, 'arms/eigen': 3, 'arms/norm': 1 })
  })

  it('shortens long names so that none is like another', async () => {
    for (const variant of ['none', 'eigen']) {
      for (const batchSize of [64, 256]) {
        writeRun(scratch('grid', `${variant},train.batchSize=${batchSize}`, 'seed-0'), { batchSize })
      }
    }
    const names = (await compare('grid')).stdout.split('\n').slice(1, 5)
    expect(new Set(names.map((line) => line.split(/ {2,}/)[0])).size).toBe(4)
  })

  it('warns where a spectrum has fewer images than dimensions', async () => {
    writeRun(scratch('few'))
    const config = JSON.parse(await readFile(scratch('few', 'config.json'), 'utf8'))
    const spectrum = { ...config.spectrum, images: 3 }
    await writeFile(scratch('few', 'config.json'), JSON.stringify({ ...config, spectrum }))
    expect((await compare('few')).stderr).toContain(
      'warning: few: a spectrum of 3 images fills 3 of 4 dimensions at most, whatever the network does',
    )
  })

  it('takes runs that lie among groups each as a group of one', async () => {
    for (const run of ['first', 'second', 'group/seed-0', 'group/seed-1']) writeRun(scratch('mixed', run))
    const { groups } = JSON.parse((await compare('mixed', '--json')).stdout)
    const names = groups.map(({ group }: { group: string }) => group)
    expect(names).toEqual(['mixed/first', 'mixed/second', 'mixed/group'])
  })

  it('warns of other data, noise and epochs by their paths, of runs left out, and of a seed that comes twice', async () => {
    writeRun(scratch('odd', 'a', 'seed-0'), { epochs: 5, noise: 0.3 })
    writeRun(scratch('odd', 'a', 'again'), { epochs: 5, noise: 0.3 })
    const { stderr } = await compare('arms/none', 'arms/eigen', 'odd/a')
    expect(stderr).toContain('the groups also differ in data.noise, train.epochs')
    expect(stderr).toContain('left out of arms/eigen: arms/eigen/seed-3 is failed, not complete (no power)')
    expect(stderr).toContain('odd/a: holds seed 0 more than once')
    expect((await compare('arms/none', 'arms/norm')).stderr).toBe('')
  })

  it('warns of other devices, engines and versions, between arms and within one', async () => {
    const tensorflow = { device: 'tensorflow-cpu', engine: { name: 'tensorflow', variant: '2.15.0' } }
    const wide = { engine: { name: 'native', variant: 'avx512' } }
    for (const seed of [0, 1]) {
      writeRun(scratch('made', 'native', `seed-${seed}`), { seed })
      writeRun(scratch('made', 'tensorflow', `seed-${seed}`), { seed, ...tensorflow })
      writeRun(scratch('made', 'mixed', `seed-${seed}`), { seed, ...(seed === 1 && wide) })
      writeRun(scratch('made', 'newer', `seed-${seed}`), { seed, version: '0.2.0' })
    }
    const between = await compare('made/native', 'made/tensorflow', '--out', 'made/report')
    const warning =
      'the groups differ in device (cpu, tensorflow-cpu), engine (native scalar, tensorflow 2.15.0): ' +
      'differences between them may come from that'
    expect(between.stderr).toContain(`warning: ${warning}\n`)
    expect(between.stdout).toMatch(/^native +device=cpu /m)
    expect(between.stdout).toMatch(/^tensorflow +device=tensorflow-cpu /m)
    const json = JSON.parse(await readFile(scratch('made/report/comparison.json'), 'utf8'))
    expect(json.warnings).toEqual([warning])
    expect(await readFile(scratch('made/report/report.html'), 'utf8')).toContain(`<li>${warning}</li>`)
    expect((await compare('made/mixed')).stderr).toBe(
      'warning: made/mixed: its runs differ in engine (native scalar, native avx512)\n',
    )
    expect((await compare('made/native', 'made/newer')).stderr).toContain(
      'differ in eigenae (0.1.0, 0.2.0): ',
    )
    expect((await compare('made/native/seed-0', 'made/native')).stderr).toBe('')
  })

  it('keeps folder names in comparison.csv from being formulas', async () => {
    const names = ['=1+1', '+1', '-1', '@sum', 'a=1']
    for (const name of names) writeRun(scratch('formulas', name, 'seed-0'))
    const args = ['--out', 'out', '--', ...names]
    expect((await eigenae(['compare', ...args], { cwd: scratch('formulas') })).code).toBe(0)
    const rows = (await readFile(scratch('formulas/out/comparison.csv'), 'utf8')).trimEnd().split('\n')
    const groups = new Set(rows.slice(1).map((row) => row.split(',')[0]))
    expect([...groups]).toEqual(["'=1+1", "'+1", "'-1", "'@sum", 'a=1'])
    const json = JSON.parse(await readFile(scratch('formulas/out/comparison.json'), 'utf8'))
    expect(json.groups.map(({ group }: { group: string }) => group)).toEqual(names)
  })

  it('does not warn of what a grid varies and its folders name, but for what a result is measured by', async () => {
    const arm = (settings: string) => scratch('grid', `none,${settings}`, 'seed-0')
    writeRun(arm('train.batchSize=64,data.noise=0.2'))
    writeRun(arm('train.batchSize=256,data.noise=0.3'), { batchSize: 256, noise: 0.3 })
    writeRun(arm('train.batchSize=256,data.noise=0.2'), { batchSize: 256 })
    const { stderr } = await compare('grid')
    expect(stderr).toBe('warning: the groups also differ in data.noise\n')
  })

  it('writes tables, report and pictures, replaces its own and leaves other files alone', async () => {
    const out = scratch('report')
    await mkdir(out)
    await writeFile(`${out}/notes.txt`, 'mine')
    for (const groups of [['arms/none'], three]) {
      expect((await compare(...groups, '--out', out)).code).toBe(0)
    }
    const files = comparisonPictures.flatMap((name) => [`${name}.png`, `${name}.svg`])
    const all = [...files, 'comparison.csv', 'comparison.json', 'notes.txt', 'report.html']
    expect((await readdir(out)).sort()).toEqual(all.sort())
    expect(await readFile(`${out}/notes.txt`, 'utf8')).toBe('mine')
    const csv = await readFile(`${out}/comparison.csv`, 'utf8')
    const [header, ...rows] = csv.trimEnd().split('\n')
    expect(header).toBe('group,metric,n,mean,sd,low,high,difference,p_value')
    expect(rows).toContainEqual(expect.stringMatching(/^arms\/none,test_mse,3,0\.0268,[^,]+,[^,]+,[^,]+,,$/))
    expect(rows).toContain('arms/norm,linear_probe_accuracy,1,0.8,,,,0,')
    expect(rows).toContain('arms/norm,neighbour_accuracy,1,0.9,,,,0,')
    expect(csv).not.toMatch(/NaN|Infinity|null/)
    const json = JSON.parse(await readFile(`${out}/comparison.json`, 'utf8'))
    expect(json.rows.length).toBe(rows.length)
  })

  it('takes away what an interrupted comparison left behind', async () => {
    await mkdir(scratch('interrupted'))
    const dead = ownProcessTag().replace(/-p\d+-s.*$/, `-p${2 ** 22 + 1}-s1`)
    await writeFile(scratch('interrupted', `.loss.svg.${dead}.0123456789ab.eigenae-tmp`), '<svg')
    expect((await compare('arms/none', '--out', 'interrupted')).code).toBe(0)
    expect((await readdir(scratch('interrupted'))).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it.each(['comparison.json', 'comparison.csv', 'report.html', 'loss.png'])(
    'does not replace a %s of someone else',
    async (name) => {
      const folder = scratch('theirs', name)
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, name), 'mine')
      const { code, stderr } = await compare('arms/none', '--out', folder)
      expect(stderr).toContain(`${join(folder, name)}: exists and was not written by this command`)
      expect(code).toBe(2)
      expect(await readdir(folder)).toEqual([name])
    },
  )

  it('refuses a folder without a complete run, damaged files, and an unknown metric', async () => {
    const none = await compare('runs/eigen/seed-2')
    expect(none.stderr).toContain('holds no completed run')
    expect(none.code).toBe(2)
    writeRun(scratch('damaged'))
    await appendFile(scratch('damaged', 'metrics.csv'), '4,oops\n')
    expect((await compare('damaged')).stderr).toContain('metrics.csv:5: is not a row of 9 numbers')
    writeRun(scratch('shortened'))
    const rows = (await readFile(scratch('shortened', 'metrics.csv'), 'utf8')).trimEnd().split('\n')
    await writeFile(scratch('shortened', 'metrics.csv'), `${rows.slice(0, -1).join('\n')}\n`)
    const shortened = await compare('shortened')
    expect(shortened.stderr).toMatch(
      /^warning: shortened: its metrics\.csv has 2 of 3 epochs, though the run is/,
    )
    writeRun(scratch('foreign'))
    await writeFile(scratch('foreign', 'config.json'), '{"name":"x","seed":-1}')
    expect((await compare('foreign')).stderr).toContain('config.json: this is not the config of a run: model')
    const unknown = await compare('runs/eigen', '--metric', 'test_mze')
    expect(unknown.stderr).toContain('test_mse')
    expect(unknown.code).toBe(2)
  })

  it('compares 1,000 runs in 300 MB, and lists them', async () => {
    for (let run = 0; run < 1000; run++) {
      const [arm, seed] = [run % 4, Math.floor(run / 4)]
      const eigen = arm === 0 ? null : { kind: 'top-k', k: arm, weight: 1, center: false }
      const testMse = 0.03 + 0.001 * arm + 0.0001 * (seed % 7)
      writeRun(scratch('thousand', `arm-${arm}`, `seed-${seed}`), {
        seed,
        eigen,
        testMse,
        epochs: 10,
        latent: 10,
      })
    }
    const report = `--import=data:text/javascript,process.on('exit',()=>console.error('KB',process.resourceUsage().maxRSS))`
    const env = { NODE_OPTIONS: report }
    const { code, stderr } = await eigenae(['compare', 'thousand', '--out', 'big'], { cwd: scratch(), env })
    expect(code).toBe(0)
    expect(Number(/KB (\d+)/.exec(stderr)![1])).toBeLessThan(300_000)
    const listed = await eigenae(['runs', 'thousand'], { cwd: scratch() })
    expect(listed.stdout.trimEnd().split('\n').length).toBe(1001)
  })

  it('makes no folder for what it refuses to compare', async () => {
    expect((await compare('nowhere', '--out', 'refused')).code).toBe(2)
    expect(existsSync(scratch('refused'))).toBe(false)
  })

  it('reads the columns of another version by their names', async () => {
    writeRun(scratch('versions', 'older'), { testMse: 0.03 })
    writeRun(scratch('versions', 'newer'), { testMse: 0.03 })
    const lines = async (run: string) =>
      (await readFile(scratch('versions', run, 'metrics.csv'), 'utf8')).split('\n')
    const without = (await lines('older')).map((line) => line.split(',').slice(0, -1).join(','))
    await writeFile(scratch('versions', 'older', 'metrics.csv'), without.join('\n'))
    const more = (await lines('newer')).map((line, row) => line && `${line},${row === 0 ? 'sharpness' : row}`)
    await writeFile(scratch('versions', 'newer', 'metrics.csv'), more.join('\n'))
    const { rows } = JSON.parse((await compare('versions/older', 'versions/newer', '--json')).stdout)
    const of = (metric: string) => rows.filter((row: { metric: string }) => row.metric === metric)
    expect(of('test_mse').map(({ mean }: { mean: number }) => mean)).toEqual([0.03, 0.03])
    expect(of('dead_dimensions').map(({ group }: { group: string }) => group)).toEqual(['versions/newer'])
    const lacking = await compare('versions/older', '--metric', 'dead_dimensions')
    expect(lacking.stdout).toContain('\n\nnone of these runs has dead_dimensions\n\n')
  })

  it('compares runs of version 0.1 without their 5-NN accuracy', async () => {
    writeRun(scratch('without', 'old'), { neighbours: null })
    writeRun(scratch('without', 'new'))
    const { rows } = JSON.parse((await compare('without/old', 'without/new', '--json')).stdout)
    const groupsWith = (metric: string) =>
      rows.flatMap((row: { metric: string; group: string }) => (row.metric === metric ? [row.group] : []))
    expect(groupsWith('linear_probe_accuracy')).toEqual(['without/old', 'without/new'])
    expect(groupsWith('neighbour_accuracy')).toEqual(['without/new'])
  })

  it('finds a run that is a link to its folder', async () => {
    await mkdir(scratch('links'))
    await symlink(scratch('arms/none/seed-0'), scratch('links', 'linked'))
    expect((await eigenae(['runs', scratch('links')])).stdout).toMatch(/^linked +/m)
  })

  it('ends quietly when its reader has seen enough', async () => {
    const running = start(['runs', scratch('runs')])
    running.process.stdout?.destroy()
    const { stderr } = await running.finished
    expect(stderr).toBe('')
  })
})
