import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { pairedTest } from '../../src/comparison/statistics.js'
import { ownProcessTag } from '../../src/files/processes.js'
import { comparisonPictures } from '../../src/plots/comparison-pictures.js'
import { eigenae, scratchFolder } from '../support/cli.js'
import { threeArms, writeArms } from '../support/compared-arms.js'
import { writeRun } from '../support/run-folder.js'

const scratch = scratchFolder()
const compare = (...args: readonly string[]) => eigenae(['compare', ...args], { cwd: scratch() })

beforeAll(() => writeArms(scratch))

describe('eigenae compare --out', () => {
  it('writes tables, report and pictures, replaces earlier ones and keeps other files', async () => {
    const out = scratch('report')
    await mkdir(out)
    await writeFile(`${out}/notes.txt`, 'mine')
    for (const arms of [['arms/none'], threeArms]) {
      expect((await compare(...arms, '--out', out)).code).toBe(0)
    }
    const files = [...comparisonPictures, 'pareto'].flatMap((name) => [`${name}.png`, `${name}.svg`])
    const all = [...files, 'comparison.csv', 'comparison.json', 'notes.txt', 'report.html']
    expect((await readdir(out)).sort()).toEqual(all.sort())
    expect(await readFile(`${out}/notes.txt`, 'utf8')).toBe('mine')
    const csv = await readFile(`${out}/comparison.csv`, 'utf8')
    const [header, ...rows] = csv.trimEnd().split('\n')
    expect(header).toBe(
      'group,metric,n,mean,sd,low,high,difference,p_value,label,hedges_g,p_value_uncorrected,difference_low,difference_high,detectable_difference,model.batchNorm,loss.eigen,loss.eigen.kind,loss.eigen.k,loss.eigen.weight,loss.eigen.center',
    )
    expect(rows).toContainEqual(
      expect.stringMatching(/^arms\/none,test_mse,3,0\.0268,[^,]+,[^,]+,[^,]+,,,none,,,,,,none,none,,,,$/),
    )
    expect(rows).toContain('arms/norm,linear_probe_accuracy,1,0.8,,,,0,,norm,,,,,,all,none,,,,')
    expect(rows).toContain('arms/norm,neighbour_accuracy,1,0.9,,,,0,,norm,,,,,,all,none,,,,')
    expect(csv).not.toMatch(/NaN|Infinity|null/)
    const json = JSON.parse(await readFile(`${out}/comparison.json`, 'utf8'))
    expect(json.rows.length).toBe(rows.length)
  })

  it('gives the test of a difference in the last columns of comparison.csv', async () => {
    await compare(...threeArms, '--out', 'tested')
    const lines = (await readFile(scratch('tested/comparison.csv'), 'utf8')).trimEnd().split('\n')
    const [header, row] = [lines[0]!, lines.find((line) => line.startsWith('arms/eigen,test_mse,'))!]
    const cells = Object.fromEntries(header.split(',').map((name, column) => [name, row.split(',')[column]]))
    const { difference, hedgesG, interval, detectable, test } = pairedTest(
      [0.0312, 0.0293, 0.0301],
      [0.0265, 0.0268, 0.0271],
    )
    expect(cells).toMatchObject({ label: 'eigen', difference: String(difference), hedges_g: String(hedgesG) })
    expect(cells.difference_low).toBe(String(interval!.low))
    expect(cells.difference_high).toBe(String(interval!.high))
    expect(cells.detectable_difference).toBe(String(detectable))
    // The other arm has one run, so that one p-value is corrected for one test.
    expect([cells.p_value, cells.p_value_uncorrected]).toEqual([String(test!.p), String(test!.p)])
  })

  it('replaces a comparison.csv with the columns of version 0.1', async () => {
    expect((await compare('arms/none', '--out', 'earlier')).code).toBe(0)
    const file = scratch('earlier/comparison.csv')
    await writeFile(file, 'group,metric,n,mean,sd,low,high,difference,p_value\n')
    expect((await compare('arms/none', '--out', 'earlier')).code).toBe(0)
    expect(await readFile(file, 'utf8')).toContain('arms/none,test_mse')
  })

  it('writes folder names to comparison.csv that no spreadsheet reads as formulas', async () => {
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

  it.each(['comparison.json', 'comparison.csv', 'report.html', 'loss.png'])(
    'does not replace a %s that eigenae did not write',
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

  it('removes the leftovers of an interrupted comparison', async () => {
    await mkdir(scratch('interrupted'))
    const dead = ownProcessTag().replace(/-p\d+-s.*$/, `-p${2 ** 22 + 1}-s1`)
    await writeFile(scratch('interrupted', `.loss.svg.${dead}.0123456789ab.eigenae-tmp`), '<svg')
    expect((await compare('arms/none', '--out', 'interrupted')).code).toBe(0)
    expect((await readdir(scratch('interrupted'))).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('creates no folder if the arguments are rejected', async () => {
    expect((await compare('nowhere', '--out', 'refused')).code).toBe(2)
    expect(existsSync(scratch('refused'))).toBe(false)
  })

  it('compares 1,000 runs in 300 MB', async () => {
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
  })
})
