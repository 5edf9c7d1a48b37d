import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/comparison/compare.js'
import { loadConfig, parseSetting } from '../src/config/load.js'
import { configText } from '../src/config/schema.js'
import { comparisonCharts } from '../src/plots/comparison-pictures.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { type FakeRun, writeRun } from './support/run-folder.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae([...args], { cwd: scratch() })

/** Writes an arm with a run for each effective rank. */
function writeArm(arm: string, ranks: readonly number[], run: FakeRun): void {
  for (const [seed, effectiveRank] of ranks.entries())
    writeRun(scratch(arm, `seed-${seed}`), { ...run, seed, effectiveRank, testMse: 0.03 + 0.001 * seed })
}

beforeAll(() => {
  writeArm('arms/a', [2, 2.2, 2.1, 2.3, 2.2], { latent: 4 })
  writeArm('arms/b', [3, 3.1, 3.3, 3.2, 3.3], { latent: 4, batchNorm: 'all' })
  writeArm('arms/c', [3.9, 3.9, 4.1, 4, 3.8], { latent: 8 })
})

interface Row {
  readonly label: string
  readonly metric: string
  readonly mean: number
  readonly best: boolean
  readonly difference: number | null
  readonly p_value: number | null
  readonly p_value_uncorrected: number | null
  readonly difference_low: number | null
  readonly hedges_g: number | null
}

async function rowsOf(...folders: readonly string[]): Promise<(label: string, metric: string) => Row> {
  const { rows } = JSON.parse((await run('compare', ...folders, '--json')).stdout) as {
    readonly rows: readonly Row[]
  }
  return (label, metric) => rows.find((row) => row.label === label && row.metric === metric)!
}

describe('arms that differ in the size of the latent', () => {
  it('are compared by the share of the rank, not by the rank and the largest share', async () => {
    const row = await rowsOf('arms')
    expect(row('b', 'rank_share').mean).toBeCloseTo(3.18 / 4, 12)
    expect(row('c', 'rank_share').mean).toBeCloseTo(3.94 / 8, 12)
    expect(row('b', 'rank_share')).toMatchObject({ best: true })
    expect(row('c', 'rank_share').p_value).toBeLessThan(0.05)
    for (const metric of ['effective_rank', 'top_share'])
      expect(row('c', metric)).toMatchObject({
        ...{ best: false, p_value: null, p_value_uncorrected: null, difference_low: null, hedges_g: null },
      })
    expect(row('c', 'effective_rank').difference).toBeCloseTo(3.94 - 2.16, 12)
    // a and b have the same size; c is not among the tests that Holm's method counts.
    const { p_value, p_value_uncorrected, best } = row('b', 'effective_rank')
    expect([best, p_value]).toEqual([false, p_value_uncorrected])
    expect(p_value).toBeLessThan(0.05)
  })

  it('have the column "rank share" and a note, but not arms of the same size', async () => {
    const note = 'not tested between arms of different latent size d'
    const several = await run('compare', 'arms')
    expect(several.stdout).toMatch(/^arm .* rank share /m)
    expect(several.stdout.replaceAll('\n', ' ')).toContain(note)
    expect((await run('compare', 'arms', '--details')).stdout).toContain('(rank_share)\n')
    expect((await run('compare', 'arms', '--format', 'markdown')).stdout).toContain(note)
    const csv = (await run('compare', 'arms', '--format', 'csv')).stdout.split('\n')
    const cells = csv.map((line) => line.split(','))
    const cellOf = (line: number, name: string) => cells[line]![cells[0]!.indexOf(name)]
    expect([cellOf(3, 'label'), cellOf(3, 'effective_rank_p_value'), cellOf(3, 'top_share_p_value')]).toEqual(
      ['c', '', ''],
    )
    expect(cellOf(3, 'rank_share_p_value')).not.toBe('')
    const same = await run('compare', 'arms/a', 'arms/b')
    expect(same.stdout).not.toContain('share ')
    expect(same.stdout).not.toContain(note)
    const row = await rowsOf('arms/a', 'arms/b')
    expect(row('b', 'effective_rank').best).toBe(true)
    expect(row('b', 'rank_share').p_value).toBeLessThan(0.05)
  })

  it('are sorted, selected, listed and chosen by rank_share', async () => {
    const flags = ['--where', 'rank_share>0.7', '--sort', '-rank_share', '--columns', 'rank_share', '--csv']
    const lines = (await run('runs', 'arms', ...flags)).stdout.trim().split('\n')
    const cells = lines.map((line) => line.split(','))
    expect(cells.map((line) => [line[0], line.at(-1)])).toEqual([
      ['folder', 'rank_share'],
      ...[2, 4, 3, 1, 0].map((seed, place) => [
        `arms/b/seed-${seed}`,
        ['0.825', '0.825', '0.8', '0.775', '0.75'][place],
      ]),
    ])
    expect((await run('best', 'arms', '--metric', 'rank_share')).stdout).toContain('arms/b')
  })

  it('are drawn by rank_share', async () => {
    const text = async (...folders: readonly string[]) =>
      JSON.stringify(
        comparisonCharts(
          await compareRuns(
            folders.map((each) => scratch(each)),
            undefined,
          ),
        ),
      )
    expect(await text('arms')).toContain('Test MSE against effective rank over d')
    expect(await text('arms/a', 'arms/b')).not.toContain('effective rank over d')
  })
})

describe('model.latent', () => {
  const base = writeJson(scratch('base.json'), { name: 'base', model: { widths: [784, 9, 3] } })
  const own = writeJson(scratch('own.json'), { name: 'own', model: { latent: 5, widths: [784, 9, 3] } })
  const textOf = async (file: string, ...settings: readonly string[]) =>
    configText(await loadConfig(file, settings.map(parseSetting)))
  const widthsOf = async (file: string, ...settings: readonly string[]) =>
    (await loadConfig(file, settings.map(parseSetting))).model.widths
  const refusal = (file: string, ...settings: readonly string[]) =>
    textOf(file, ...settings).catch((error: Error) => error.message)

  it('replaces the last of the widths, and the resolved config has the widths alone', async () => {
    expect(await textOf(base, 'model.latent=32')).toBe(await textOf(base, 'model.widths=[784,9,32]'))
    expect(await widthsOf(own)).toEqual([784, 9, 5])
    const alone = writeJson(scratch('alone.json'), { name: 'alone', model: { latent: 2 } })
    expect(await widthsOf(alone)).toEqual([784, 128, 64, 12, 2])
  })

  it('wins over the widths beside it, and a later setting wins over an earlier one', async () => {
    expect(await widthsOf(base, 'model.latent=7', 'model.widths=[784,8,4]')).toEqual([784, 8, 7])
    expect(await widthsOf(own, 'model.widths=[784,8,4]')).toEqual([784, 8, 4])
    expect(await widthsOf(own, 'model.widths.2=4')).toEqual([784, 9, 4])
    expect(await widthsOf(own, 'model.widths.1=4')).toEqual([784, 4, 5])
    const extending = (name: string, model: object) =>
      writeJson(scratch(`${name}.json`), { name, extends: 'own.json', model })
    expect(await widthsOf(extending('latent', { latent: 6 }))).toEqual([784, 9, 6])
    expect(await widthsOf(extending('widths', { widths: [784, 4] }))).toEqual([784, 4])
    expect(await widthsOf(extending('both', { latent: 6, widths: [784, 4] }))).toEqual([784, 6])
    expect(await widthsOf(extending('neither', { batchNorm: 'all' }))).toEqual([784, 9, 5])
  })

  it('is refused with its place or its flag', async () => {
    expect(await refusal(base, 'model.latent=0')).toContain('--set model.latent: must be at least 1 (got 0)')
    const text = writeJson(scratch('text.json'), { name: 'text', model: { latent: '5' } })
    expect(await refusal(text)).toMatch(/1:\d+ model\.latent: must be a number \(got "5"\)/)
    const eigen = writeJson(scratch('k.json'), { name: 'k', extends: 'base.json', loss: { eigen: { k: 2 } } })
    expect(await refusal(eigen, 'model.latent=2')).toMatch(
      /--set model\.latent: loss\.eigen: has no effect on latent \(width 2\)/,
    )
  })

  it('is an axis of a grid and of a search, with the bytes of a run of those widths', async () => {
    tinyConfigs(scratch('sweeps'), 1)
    const folder = (...names: readonly string[]) => scratch('sweeps', 'runs', ...names)
    const sweep = (name: string, content: object) => {
      const variants = { eigen: 'eigen.json', none: { config: 'none.json', fixed: ['model.latent'] } }
      const config = writeJson(scratch('sweeps', `${name}.json`), { name, variants, ...content })
      return eigenae(['sweep', '--config', config], { cwd: scratch('sweeps') })
    }
    expect((await sweep('latents', { grid: { 'model.latent': [5, 3] } })).code).toBe(0)
    const widths = [784, 8, 5]
    writeJson(scratch('sweeps', 'five.json'), {
      ...readJson(scratch('sweeps/eigen.json')),
      model: { widths },
    })
    const out = ['--out', folder('five')]
    await eigenae(['train', '--config', scratch('sweeps/five.json'), ...out], { cwd: scratch('sweeps') })
    await expectSameRuns(['.'], folder('latents', 'eigen,model.latent=5', 'seed-0'), folder('five'))
    const table = (await run('compare', folder('latents'))).stdout
    expect(table).toMatch(/^eigen latent=3 .* latent=3 .*\neigen latent=5 .* latent=5\nnone /m)
    const { groups } = JSON.parse((await run('compare', folder('latents'), '--json')).stdout)
    expect(groups.map(({ settings }: { settings: object }) => settings)).toEqual([
      { 'model.latent': 3 },
      { 'model.latent': 5 },
      {},
    ])
    const listed = await run('runs', folder('latents'), '--where', 'model.latent=5', '--csv')
    expect(listed.stdout.trim().split('\n').length).toBe(2)

    const space = { 'model.latent': { integer: [3, 6] } }
    expect((await sweep('search', { search: { trials: 3, seed: 1, space } })).code).toBe(0)
    const plan = readJson(folder('search', 'sweep.json'))
    const latents = plan.runs
      .filter((name: string) => name.includes('trial'))
      .map((name: string) => readJson(folder('search', name, 'config.json')).model.widths.at(-1))
    expect(new Set(latents).size).toBe(3)
    for (const latent of latents) expect([3, 4, 5, 6]).toContain(latent)
  })

  it('is noted if a grid of it and the widths has arms with the same config', async () => {
    const widths = [
      [784, 16, 4],
      [784, 16, 5],
    ]
    const grid = { 'model.widths': widths, 'model.latent': [3] }
    const sweep = { name: 'same', variants: { base: 'base.json' }, grid }
    const config = writeJson(scratch('same-sweep.json'), sweep)
    const { code, stderr } = await run('sweep', '--config', config, '--dry-run')
    expect(stderr).toContain(
      'note: base,model.widths=784-16-4,model.latent=3, base,model.widths=784-16-5,model.latent=3 have the same config, so their runs are the same\n',
    )
    expect(code).toBe(0)
  })

  it('is not set for a sweep that sets the widths', async () => {
    const content = {
      variants: { base: 'base.json' },
      grid: {
        'model.widths': [
          [784, 4],
          [784, 5],
        ],
      },
    }
    const config = writeJson(scratch('widths-sweep.json'), { name: 'widths-sweep', ...content })
    const { code, stderr } = await run('sweep', '--config', config, '--set', 'model.latent=3', '--dry-run')
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('the grid of the sweep file sets model.widths'),
    ])
  })
})
