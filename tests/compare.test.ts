import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { eigenae, scratchFolder, start, trainArgs } from './support/cli.js'

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
  const running = start(trainArgs('eigen.json', killed, 'data.limit=3000', 'train.epochs=1000'))
  await running.says('epoch    1/1000')
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
    expect(rows[4]).toMatch(/^eigen\/seed-2 +eigen +0 +interrupted +\d+\/1000 +cpu/)
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
    expect(missing.code).toBe(1)
  })

  it('names a run.json that is none', async () => {
    await mkdir(scratch('broken'), { recursive: true })
    await writeFile(scratch('broken', 'run.json'), '{}')
    const { code, stderr } = await eigenae(['runs', scratch('broken')])
    expect(stderr).toContain('run.json: this is not the run.json of an eigenae run')
    expect(code).toBe(1)
  })
})

describe('eigenae compare', () => {
  it('sets groups side by side with mean and standard deviation, and leaves out what is not complete', async () => {
    const { code, stdout, stderr } = await eigenae(['compare', 'runs/baseline', 'runs/eigen'], {
      cwd: scratch(),
    })
    expect(code).toBe(0)
    expect(stderr).toContain('left out, not complete: runs/eigen/seed-2')
    const [header, baseline, eigen] = stdout.trimEnd().split('\n')
    expect(header).toMatch(
      /^group +n +test_mse +test_denoise_mse +top_share +effective_rank +dead_dimensions$/,
    )
    expect(baseline).toMatch(/^runs\/baseline +2 +0\.\d+ ± 0\.\d+ /)
    expect(eigen).toMatch(/^runs\/eigen +2 /)
    expect(
      new Set(
        stdout
          .trimEnd()
          .split('\n')
          .map((line) => line.trimEnd().length),
      ).size,
    ).toBe(1)
  })

  it('takes the values from the runs, as evaluation.json has them', async () => {
    const folders = [0, 1].map((seed) => scratch('runs', 'baseline', `seed-${seed}`))
    const [a, b] = await Promise.all(folders.map(lastMetrics))
    const { stdout } = await eigenae(['compare', scratch('runs', 'baseline'), '--json'])
    const [group] = JSON.parse(stdout)
    expect(group.n).toBe(2)
    expect(group.metrics.test_mse.mean).toBeCloseTo((a.test_mse + b.test_mse) / 2, 12)
    expect(group.metrics.test_mse.sd).toBeCloseTo(Math.abs(a.test_mse - b.test_mse) / Math.SQRT2, 12)
  })

  it('takes single runs, without a deviation, and one metric', async () => {
    const { stdout } = await eigenae(['compare', 'runs/eigen/seed-0', '--metric', 'top_share'], {
      cwd: scratch(),
    })
    expect(stdout).toMatch(/^group +n +top_share\nruns\/eigen\/seed-0 +1 +0\.\d+\n$/)
  })

  it('takes a folder of groups as each of them', async () => {
    await cp(scratch('runs', 'baseline'), scratch('sweep', 'none'), { recursive: true })
    await cp(scratch('runs', 'eigen', 'seed-0'), scratch('sweep', 'eigen', 'seed-0'), { recursive: true })
    const { stdout } = await eigenae(['compare', 'sweep', '--json'], { cwd: scratch() })
    expect(JSON.parse(stdout).map((group: { group: string; n: number }) => [group.group, group.n])).toEqual([
      ['sweep/eigen', 1],
      ['sweep/none', 2],
    ])
  })

  it('refuses a folder without a complete run, and an unknown metric', async () => {
    const none = await eigenae(['compare', scratch('runs', 'eigen', 'seed-2')])
    expect(none.stderr).toContain('holds no completed run')
    expect(none.code).toBe(2)
    const unknown = await eigenae(['compare', scratch('runs', 'eigen'), '--metric', 'test_mze'])
    expect(unknown.stderr).toContain('test_mse')
    expect(unknown.code).toBe(2)
  })

  it('ends quietly when its reader has seen enough', async () => {
    const running = start(['runs', scratch('runs')])
    running.process.stdout?.destroy()
    const { stderr } = await running.finished
    expect(stderr).toBe('')
  })
})
