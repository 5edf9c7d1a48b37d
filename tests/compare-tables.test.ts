import { beforeAll, describe, expect, it } from 'vitest'
import { meaningOf, metrics } from '../src/runs/metrics.js'
import { planFormat } from '../src/runs/sweep-plan.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { describeUnless } from './support/requirements.js'
import { type FakeRun, writeRun } from './support/run-folder.js'
import { writeJson } from './support/sweeps.js'
import { noScript, onTerminal } from './support/terminal.js'

const scratch = scratchFolder()
const mainMetrics = metrics.filter((metric) => meaningOf(metric).main)
const compare = (...args: readonly string[]) => eigenae(['compare', ...args], { cwd: scratch() })

/** Writes an arm with a run for each test MSE. */
function writeArm(arm: string, values: readonly number[], run: FakeRun = {}): void {
  for (const [seed, testMse] of values.entries())
    writeRun(scratch(arm, `seed-${seed}`), { ...run, seed, testMse })
}

const labels = [0.001, 0.03, 1].flatMap((weight) =>
  [64, 256].map((size) => `eigen weight=${weight} batchSize=${size}`),
)

const rests = labels.map((label) => label.replace('eigen ', ''))

/** Writes the folder of a sweep of six arms with three seeds. */
function writeGrid(): void {
  const grid = { 'loss.eigen.weight': [1, 0.03, 0.001], 'train.batchSize': [256, 64] }
  const arms = grid['loss.eigen.weight'].flatMap((weight) =>
    grid['train.batchSize'].map((batchSize) => ({ weight, batchSize })),
  )
  const nameOf = ({ weight, batchSize }: (typeof arms)[number]) =>
    `eigen,loss.eigen.weight=${weight},train.batchSize=${batchSize}`
  for (const [index, arm] of arms.entries()) {
    const values = [0, 1, 2].map((seed) => 0.03 + 0.001 * index + 0.0001 * seed * seed * (index + 1))
    const eigen = { kind: 'top-k', k: 2, weight: arm.weight, center: false }
    writeArm(`grid/${nameOf(arm)}`, values, { eigen, batchSize: arm.batchSize })
  }
  const runs = [0, 1, 2].flatMap((seed) => arms.map((arm) => `${nameOf(arm)}/seed-${seed}`))
  writeJson(scratch('grid/sweep.json'), { format: planFormat, name: 'grid', grid, runs })
}

beforeAll(() => {
  writeArm('arms/none', [0.0265, 0.0268, 0.0271])
  writeArm('arms/better', [0.0165, 0.0169, 0.0171], { batchNorm: 'all' })
  writeArm('arms/worse', [0.0312, 0.0313, 0.0321], {
    eigen: { kind: 'top-k', k: 2, weight: 1, center: false },
  })
  writeRun(scratch('arms/worse/seed-3'), { seed: 3, status: 'failed' })
  writeArm('arms/dead', [0.03], { status: 'interrupted' })
  writeGrid()
})

describe('the table of compare', () => {
  it('has a line per arm with its mean and interval by metric, the best, the baseline and significance', async () => {
    const { stdout } = await compare('arms', '--baseline', 'none')
    const lines = stdout.split('\n')
    expect(lines[1]).toMatch(/^arm +n +test MSE +noisy test MSE +over epochs +σ₁\/Σσ +rank +.* what differs$/)
    expect(lines[2]).toMatch(/^none † +3 +0\.02680 ± 0\.00075 +0\.02948 ± 0\.00082 /)
    const better = lines.find((line) => line.startsWith('better '))!
    expect(better).toMatch(/^better +3 +0\.01683 ± 0\.00076 \*✓ /)
    expect(better).toMatch(/ batchNorm=all$/)
    expect(lines.find((line) => line.startsWith('worse '))).toMatch(/ 3 of 4 +0\.03153 ± 0\.00123 ✗ /)
    expect(stdout).toContain(
      '† the baseline. * the best mean.\n✓ ✗ significantly better or worse than none (p < 0.05:',
    )
    expect(stdout).toContain('n < 5: intervals over so few seeds are wide')
  })

  it('lists the arms without a completed run, and what became of the runs that are left out', async () => {
    const { stdout } = await compare('arms', '--baseline', 'none')
    expect(stdout).toMatch(/^dead +0 of 1$/m)
    expect(stdout).toContain('\ndead: 1 interrupted.\n')
    expect(stdout).toContain('\nworse: 1 failed.\n')
  })

  it('has every line in full in a pipe, below what all arms share', async () => {
    const [title, ...lines] = (await compare('grid')).stdout.split('\n')
    expect(title).toBe('All arms: eigen')
    expect(lines.slice(2, 8).map((line) => line.split(/ {2,}/)[0]!.replace(' †', ''))).toEqual(rests)
    for (const line of lines.slice(2, 8)) expect(line.match(/±/g)?.length).toBe(mainMetrics.length)
    // The values of the grid are in the names.
    expect(lines[1]).not.toContain('what differs')
  })

  it('prints differences, tests, effect sizes and detectable differences of each main metric with --details', async () => {
    const { stdout } = await compare('grid', '--details', '--baseline', labels[0]!)
    for (const metric of ['test_mse', 'test_denoise_mse', 'effective_rank', 'neighbour_accuracy'])
      expect(stdout).toContain(`(${metric})\n`)
    expect(stdout).toMatch(/^weight=0\.03 batchSize=64 +weight=0\.03 batchSize=64 +3 /m)
    expect(stdout).toMatch(
      /^\* weight=1 batchSize=256 +3 +0\.03017 ± 0\.00052 +−0\.00583 +0\.\d{3} +−[\d.]+ +0\.0\d+$/m,
    )
    const cut = stdout.split('\n').filter((line) => line.includes('…'))
    expect(cut).toEqual([])
  })
})

describe('few seeds', () => {
  interface Row {
    readonly label: string
    readonly metric: string
    readonly n: number
    readonly low: number | null
    readonly high: number | null
  }
  const rowsOf = async (...args: readonly string[]): Promise<readonly Row[]> =>
    JSON.parse((await compare(...args, '--json')).stdout).rows

  it('give no p-value, no mark and no interval beyond the possible values of a metric', async () => {
    for (const [arm, testMse] of [
      ['low', 0.01],
      ['high', 0.09],
    ] as const)
      for (const seed of [0, 1])
        writeRun(scratch('few', arm, `seed-${seed}`), {
          ...{ seed, noise: testMse, testMse: testMse + 0.00001 * seed },
          // Student's t makes ± 6.4 out of a difference of 1.
          ...{ effectiveRank: 3 + 0.9 * seed, probe: 0.8 + 0.1 * seed, neighbours: 0.9 + 0.001 * seed },
        })
    const rows = await rowsOf('few')
    const untested = { p_value: null, p_value_uncorrected: null, test: null, difference_low: null }
    for (const row of rows) expect(row).toMatchObject({ ...untested, detectable_difference: null })
    const of = (metric: string) => rows.find((row) => row.metric === metric)!
    expect(of('effective_rank')).toMatchObject({ n: 2, mean: 3.45, low: null, high: null })
    expect(of('linear_probe_accuracy')).toMatchObject({ low: null, high: null })
    expect(of('neighbour_accuracy').low).toBeCloseTo(0.9005 - 12.7062 * 0.0005, 6)
    const { stdout } = await compare('few')
    expect(stdout).toContain('n = 2: no test, and no interval beyond the possible values.')
    expect(stdout).not.toMatch(/[✓✗]/)
  })

  it('keep the interval of three seeds as it is', async () => {
    for (const [seed, probe] of [0.8, 0.9, 0.99].entries())
      writeRun(scratch('three', 'a', `seed-${seed}`), { seed, probe })
    const [row] = (await rowsOf('three')).filter(({ metric }) => metric === 'linear_probe_accuracy')
    expect(row!.high).toBeGreaterThan(1)
  })
})

describe('an arbitrary baseline', () => {
  it('is not tested against, and the notes say how to name one', async () => {
    const { rows } = JSON.parse((await compare('grid', '--json')).stdout)
    for (const row of rows)
      expect(row).toMatchObject({ p_value: null, hedges_g: null, difference_high: null })
    for (const args of [[], ['--details']]) {
      const { stdout } = await compare('grid', ...args)
      expect(stdout).not.toMatch(/[✓✗†]/)
      expect(stdout.replaceAll('\n', ' ')).toContain(
        `Nothing is tested, because the sweep names no baseline. Name one with --baseline '${labels[0]}', for example, or as "baseline" in the sweep file.`,
      )
    }
    const named = await compare('grid', '--baseline', labels[0]!)
    expect(named.stdout).toMatch(/† the baseline\..*\n✓ ✗ significantly/)
  })

  it('is one that the sweep names, or the first of named arms, if there is one', async () => {
    const [first, second] = [0.001, 0.03].map(
      (weight) => `grid/eigen,loss.eigen.weight=${weight},train.batchSize=64`,
    )
    const { rows } = JSON.parse((await compare(first!, second!, '--metric', 'test_mse', '--json')).stdout)
    expect(rows[1].p_value).toBeGreaterThan(0)
  })
})

describeUnless(noScript, 'the table of compare on a terminal', () => {
  const shown = async (columns: number, rows: number, ...args: readonly string[]) =>
    onTerminal(['compare', ...args], { cwd: scratch(), columns, rows, env: { TERM: 'xterm', NO_COLOR: '' } })

  it.each([80, 100, 160])(
    'fits %i columns, with the whole names of the arms in each block',
    async (columns) => {
      const { lines } = await shown(columns, 24, 'grid')
      expect(Math.max(...lines.map((line) => line.trimEnd().length))).toBeLessThanOrEqual(columns)
      const blocks = lines.filter((line) => /^arm +n /.test(line)).length
      for (const rest of rests) expect(lines.filter((line) => line.startsWith(rest)).length).toBe(blocks)
      expect(lines.join(' ')).toContain('5-NN %')
    },
  )

  it('cuts names so that the sparklines of the details fit', async () => {
    const eigen = { kind: 'top-k', k: 3, weight: 0.123456, center: true }
    writeArm('long/the-long-name-of-an-arm-without-an-eigen-loss', [0.03], { latent: 10 })
    writeArm('long/the-long-name-of-an-arm-with-an-eigen-loss', [0.03], {
      latent: 10,
      batchNorm: 'all',
      eigen,
    })
    const { lines } = await shown(80, 24, 'long', '--details')
    const sparklines = lines.filter((line) => /[▁█]/.test(line))
    expect(sparklines.length).toBe(2)
    for (const line of sparklines) expect(line.trimEnd().length).toBeLessThanOrEqual(80)
  })

  it('shows the intervals if they fit', async () => {
    expect((await shown(80, 24, 'grid')).lines.join('\n')).not.toContain('±')
    expect((await shown(80, 100, 'grid')).lines.join('\n')).toContain('0.03017 ± 0.00052')
    expect((await shown(220, 24, 'grid')).lines.join('\n')).toContain('0.03017 ± 0.00052')
  })

  it('has colours, but not with NO_COLOR and not in a pipe', async () => {
    const { output } = await shown(200, 24, 'arms', '--baseline', 'none')
    expect(output).toContain('\x1b[31m3 of 4\x1b[39m')
    expect(output).toContain('\x1b[1m\x1b[32m0.01683 ± 0.00076 *✓\x1b[39m\x1b[22m')
    const env = { TERM: 'xterm', NO_COLOR: '1' }
    const plain = await onTerminal(['compare', 'arms'], { cwd: scratch(), env })
    expect(plain.output).not.toContain('\x1b[')
    expect((await compare('arms', '--baseline', 'none')).stdout).not.toContain('\x1b[')
  })
})

describe('compare --format', () => {
  const format = async (name: string, ...args: readonly string[]) =>
    (await compare('arms', '--baseline', 'none', '--format', name, ...args)).stdout

  it('markdown prints a table with the best mean in bold', async () => {
    const lines = (await format('markdown')).split('\n')
    expect(lines[0]).toMatch(/^\| arm \| n \| test MSE \| .*\| linear probe % \|.* what differs \|$/)
    expect(lines[1]).toMatch(/^\| --- \| ---: \| (---: \| )+--- \|$/)
    expect(lines[3]).toMatch(/^\| better \| 3 \| \*\*0\.01683 ± 0\.00076\*\* ✓ \| .* \| batchNorm=all \|$/)
  })

  it('latex prints a tabular, with the characters escaped that TeX would read as commands', async () => {
    const text = await format('latex')
    expect(text).toMatch(/^\\begin\{tabular\}\{lr+l\}\n\\toprule\n/m)
    expect(text).toContain(
      '& \\textbf{0.01683 \\ensuremath{\\pm} 0.00076}\\textsuperscript{\\ensuremath{+}} &',
    )
    expect(text).toContain('linear probe \\% &')
    writeArm('odd/a_b%{x}', [0.03])
    const odd = await compare('odd/a_b%{x}', '--format', 'latex')
    expect(odd.stdout).toContain('\na\\_b\\%\\{x\\} & 1 & ')
  })

  it('csv prints all digits: means, intervals and p-values by arm', async () => {
    const [header, ...rows] = (await format('csv'))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','))
    const { rows: results } = JSON.parse((await compare('arms', '--baseline', 'none', '--json')).stdout)
    const cells = Object.fromEntries(header!.map((name, column) => [name, rows[1]![column]]))
    const expected = results.find(
      (row: { label: string; metric: string }) => row.label === 'better' && row.metric === 'test_mse',
    )
    expect(cells).toMatchObject({ label: 'better', n: '3', what_differs: 'batchNorm=all' })
    expect(cells.test_mse).toBe(String(expected.mean))
    expect([cells.test_mse_low, cells.test_mse_high]).toEqual([String(expected.low), String(expected.high)])
    expect(cells.test_mse_p_value).toBe(String(expected.p_value))
  })

  it('prints the tests of one metric with --metric', async () => {
    const markdown = await format('markdown', '--metric', 'test_mse')
    expect(markdown).toContain('| arm | n | mean | difference | p | g |')
    expect(markdown).toMatch(/^\| better \| 3 \| \*\*0\.01683 ± 0\.00076\*\* \| −0\.00997 \| < 0\.001 \| /m)
    const csv = await format('csv', '--metric', 'test_mse')
    expect(csv.trimEnd().split('\n').length).toBe(4)
    expect(csv).toContain('group,metric,n,mean,sd,low,high,difference,p_value,label,')
  })
})
