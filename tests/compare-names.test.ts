import { readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/comparison/compare.js'
import { planFormat } from '../src/runs/sweep-plan.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'
import { readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })

interface Group {
  readonly group: string
  readonly label: string
  readonly difference: string
  readonly settings: Readonly<Record<string, unknown>>
}

/** Compares runs. Returns the arms in their order, and the folder of the baseline. */
async function compare(...args: readonly string[]) {
  const { stdout, stderr } = await run('compare', ...args, '--json')
  const { groups, baseline } = JSON.parse(stdout) as { groups: readonly Group[]; baseline: string }
  return { groups, labels: groups.map(({ label }) => label), baseline, stderr }
}

/** Writes a sweep file, whose runs are tiny. */
function sweepFile(name: string, fields: object): string {
  const variants = { none: 'none.json', eigen: 'eigen.json' }
  return writeJson(scratch(`${name}.json`), { name, variants, seeds: [0], ...fields })
}

const sweep = (file: string, ...args: readonly string[]) => run('sweep', '--config', file, ...args)

beforeAll(() => tinyConfigs(scratch(), 1))

describe('an arm of a sweep', () => {
  const grid = { 'loss.eigen.weight': [1, 0.3, 0.001], 'optimizer.learningRate': [0.01, 0.002] }

  it('is called by its variant and all values of the grid, whose numbers ascend', async () => {
    const made = await sweep(sweepFile('grid', { variants: { eigen: 'eigen.json' }, grid }))
    expect(made.code).toBe(0)
    const { labels, groups, baseline } = await compare('runs/grid')
    expect(labels).toEqual(
      [0.001, 0.3, 1].flatMap((weight) =>
        [0.002, 0.01].map((rate) => `eigen weight=${weight} learningRate=${rate}`),
      ),
    )
    expect(baseline).toBe('runs/grid/eigen,loss.eigen.weight=0.001,optimizer.learningRate=0.002')
    expect(groups[1]!.settings).toEqual({ 'loss.eigen.weight': 0.001, 'optimizer.learningRate': 0.01 })
    // The weight is the baseline's and is shown nevertheless.
    expect(groups[1]!.difference).toBe('weight=0.001 learningRate=0.01')
    const rests = labels.map((label) => label.replace(/^eigen /, ''))
    expect(rests.filter((rest) => made.stdout.includes(`\n${rest} `)).length).toBe(5)
    expect(made.stdout).toContain('\nAll arms: eigen\n')
  })

  it('lacks the values that its variant does not take', async () => {
    const fixed = ['loss.eigen', 'optimizer']
    const variants = { none: { config: 'none.json', fixed }, eigen: 'eigen.json' }
    const grid = { 'loss.eigen.weight': [1, 0.3], 'optimizer.learningRate': [0.01] }
    expect((await sweep(sweepFile('apart', { variants, grid }))).code).toBe(0)
    expect(readJson(scratch('runs/apart/sweep.json')).fixed).toEqual({ none: fixed })
    const { labels, groups, stderr } = await compare('runs/apart')
    expect(labels).toEqual(['none', 'eigen weight=0.3 learningRate=0.01', 'eigen weight=1 learningRate=0.01'])
    expect(groups.map(({ settings }) => settings)).toEqual([
      {},
      { 'loss.eigen.weight': 0.3, 'optimizer.learningRate': 0.01 },
      { 'loss.eigen.weight': 1, 'optimizer.learningRate': 0.01 },
    ])
    // The learning rate differs on purpose.
    expect(stderr).toBe('')
  })

  it('is named by compare if its eigen loss has no effect, and its run can be trained again', async () => {
    const grid = {
      'model.widths': [
        [784, 8, 2],
        [784, 8, 4],
      ],
    }
    expect((await sweep(sweepFile('widths', { variants: { eigen: 'eigen.json' }, grid }))).code).toBe(0)
    const { stderr } = await compare('runs/widths')
    expect(stderr).toContain(
      'warning: runs/widths/eigen,model.widths=784-8-2: loss.eigen: has no effect on latent (width 2), where top-k with k = 2 is constant\n',
    )
    expect(stderr.match(/no effect/g)?.length).toBe(1)
    const folder = 'runs/widths/eigen,model.widths=784-8-2/seed-0'
    const again = await run('train', '--config', `${folder}/config.json`, '--out', folder, '--resume')
    expect([again.code, again.stderr]).toEqual([0, `${folder}: already complete\n`])
  })

  it('has the same name if it is compared alone, and is found by that name', async () => {
    const arm = (weight: number, rate: number) =>
      `runs/grid/eigen,loss.eigen.weight=${weight},optimizer.learningRate=${rate}`
    const given = [arm(1, 0.01), arm(0.3, 0.01)] as const
    const { labels, baseline } = await compare(...given)
    expect(labels).toEqual(['eigen weight=1 learningRate=0.01', 'eigen weight=0.3 learningRate=0.01'])
    expect(baseline).toBe(given[0])
    const named = await compare('runs/grid', '--baseline', labels[1]!)
    expect([named.baseline, named.labels[0]]).toEqual([given[1], labels[1]])
  })

  it('is shown and found without what all arms share, which the titles name', async () => {
    const grid = {
      'loss.eigen.weight': [1, 0.3],
      'optimizer.learningRate': [0.01],
      'train.batchSize': [50, 20],
    }
    expect((await sweep(sweepFile('shared', { variants: { eigen: 'eigen.json' }, grid }))).code).toBe(0)
    const { stdout } = await run('compare', 'runs/shared', '--out', 'shared')
    const rests = [0.3, 1].flatMap((weight) => [20, 50].map((size) => `weight=${weight} batchSize=${size}`))
    expect(stdout).toMatch(/^All arms: eigen, learningRate=0\.01\n/)
    for (const rest of rests) expect(stdout).toContain(`\n${rest} `)
    for (const name of ['final', 'reconstructions']) {
      const svg = readFileSync(scratch(`shared/${name}.svg`), 'utf8')
      const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text)
      expect(texts).toContain('All arms: eigen, learningRate=0.01')
      expect(rests.filter((rest) => texts.includes(rest))).toEqual(rests)
    }
    const page = readFileSync(scratch('shared/report.html'), 'utf8')
    expect(page).toContain('<p class="quiet">All arms: eigen, learningRate=0.01.</p>')
    const legend = [...page.matchAll(/<button[^>]* data-arm=.*?<\/svg>([^<]*)<\/button>/g)]
    expect(legend.map(([, name]) => name)).toEqual(rests)
    const csv = readFileSync(scratch('shared/comparison.csv'), 'utf8')
    const labels = rests.map((rest) => `eigen ${rest.replace(' ', ' learningRate=0.01 ')}`)
    for (const label of labels) expect(csv).toContain(`,${label},`)
    const table = (await run('compare', 'runs/shared', '--format', 'csv')).stdout
    for (const [index, label] of labels.entries())
      expect(table).toMatch(new RegExp(`^${label},.*,${rests[index]}$`, 'm'))
    const named = await compare('runs/shared', '--baseline', rests[3]!, '--arms', rests[0]!)
    expect(named.labels).toEqual([labels[3], labels[0]])
    expect(named.baseline).toMatch(/weight=1,.*batchSize=50$/)
    const ambiguous = await run('compare', 'runs/shared', '--arms', 'batchSize=50')
    expect([ambiguous.code, ambiguous.stderr]).toEqual([
      2,
      `eigenae: --arms: "batchSize=50" stands for 2 arms\nName one of them: ${labels[1]}, ${labels[3]}.\n`,
    ])
  })

  it('is a trial of a search, with the drawn values as its settings', async () => {
    const search = { trials: 2, seed: 1, space: { 'optimizer.learningRate': { log: [0.001, 0.01] } } }
    expect((await sweep(sweepFile('search', { search }))).code).toBe(0)
    const { labels, groups } = await compare('runs/search')
    expect(labels).toEqual(['none trial-001', 'none trial-002', 'eigen trial-001', 'eigen trial-002'])
    const { optimizer } = readJson(scratch('runs/search/none,trial-002/seed-0/config.json'))
    expect(groups[1]!.settings).toEqual({ 'optimizer.learningRate': optimizer.learningRate })
  })
})

describe('the baseline of a sweep', () => {
  it('is the arm that the sweep file names, which keeps its place', async () => {
    const made = await sweep(sweepFile('named', { baseline: 'eigen', grid: { 'train.batchSize': [50, 20] } }))
    const { labels, baseline } = await compare('runs/named')
    expect(labels).toEqual([
      'none batchSize=20',
      'none batchSize=50',
      'eigen batchSize=20',
      'eigen batchSize=50',
    ])
    expect(baseline).toBe('runs/named/eigen,train.batchSize=20')
    for (const label of labels) expect(made.stdout).toContain(`\n${label} `)
    await sweep(
      sweepFile('named', { baseline: 'none,train.batchSize=50', grid: { 'train.batchSize': [50, 20] } }),
      '--resume',
    )
    expect((await compare('runs/named')).baseline).toBe('runs/named/none,train.batchSize=50')
  })

  it('is another arm, with a warning, as long as it has no completed run', async () => {
    for (const [arm, status] of [
      ['a', 'completed'],
      ['b', 'interrupted'],
      ['c', 'completed'],
    ] as const)
      writeRun(scratch('begun', arm, 'seed-0'), { status })
    const runs = ['a', 'b', 'c'].map((arm) => `${arm}/seed-0`)
    writeFileSync(
      scratch('begun/sweep.json'),
      JSON.stringify({ format: planFormat, name: 'begun', baseline: 'b', grid: {}, runs }),
    )
    const { baseline, stderr } = await compare('begun')
    expect(baseline).toBe('begun/a')
    expect(stderr).toContain(
      'warning: the baseline begun/b has no completed run: the arms are tested against begun/a\n',
    )
  })

  it('is refused if the sweep has no such arm', async () => {
    const { code, stderr } = await sweep(sweepFile('mistaken', { baseline: 'eigne' }))
    expect(stderr).toContain('  baseline: no arm is called "eigne"; did you mean "eigen"?\n')
    expect(code).toBe(2)
  })
})

describe('an arm without a sweep', () => {
  it('is distinguished by the kinds of its eigen losses, or by the whole list if only their fields differ', async () => {
    const losses = (weight: number) => [{ kind: 'kl-normal', weight }, { kind: 'entropy' }]
    writeRun(scratch('lists/none/seed-0'))
    writeRun(scratch('lists/weak/seed-0'), { eigen: losses(0.1) })
    const differences = async (...names: readonly string[]) => {
      const folders = names.map((name) => scratch('lists', name))
      return (await compareRuns(folders, undefined)).arms.slice(1).map(({ difference }) => difference)
    }
    expect(await differences('none', 'weak')).toEqual(['eigen=kl-normal+entropy'])
    writeRun(scratch('lists/strong/seed-0'), { eigen: losses(0.5) })
    expect(await differences('none', 'weak', 'strong')).toEqual([
      expect.stringContaining('"weight":0.1'),
      expect.stringContaining('"weight":0.5'),
    ])
  })

  it('is called by its folder, with the names of parent folders where two would be the same', async () => {
    for (const folder of ['x/none', 'x/eigen/seed-0', 'y/none']) writeRun(scratch('plain', folder))
    const { labels } = await compare('plain/x/none', 'plain/x/eigen/seed-0', 'plain/y/none')
    expect(labels).toEqual(['x/none', 'eigen/seed-0', 'y/none'])
    expect((await compare('plain/x/none')).labels).toEqual(['none'])
  })
})
