import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/comparison/compare.js'
import { comparisonCharts } from '../src/plots/comparison-pictures.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { type FakeRun, writeRun } from './support/run-folder.js'

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
