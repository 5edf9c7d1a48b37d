import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'

const root = join(import.meta.dirname, '..')
const scratch = scratchFolder()
const study = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, [join(root, 'scripts/study.mjs'), ...args])
const docs = scratch('docs/study')

async function copyPages(): Promise<void> {
  await cp(join(root, 'docs/study'), docs, { recursive: true })
  await cp(join(root, 'docs/study.md'), scratch('docs/study.md'))
  await cp(join(root, 'README.md'), scratch('README.md'))
}

describe('the pages of the study', () => {
  it('have the tables that the values of the runs give', async () => {
    expect(await study('--check')).toEqual({ stdout: '', stderr: '' })
  })

  it('are refused if a number differs, and written again', async () => {
    await copyPages()
    const page = join(docs, 'final.md')
    const text = await readFile(page, 'utf8')
    const row = '| `batch-norm-kl-normal` | 0.01581'
    expect(text).toContain(row)
    await writeFile(page, text.replace(row, row.replace('1581', '1582')))
    await expect(study('--check', '--docs', docs)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/docs\/study\/final\.md: differs from the values of its runs\n$/),
    })
    await study('--docs', docs)
    expect(await readFile(page, 'utf8')).toBe(text)
  })

  it('report a confirmation with both intervals and the runs that failed', async () => {
    await copyPages()
    // The MSE with noisy input of these runs is 1.1 times that with clean input.
    const means = { 'kl-silu': 0.01, 'batch-norm-silu': 0.011, 'batch-norm': 0.012 }
    const others = ['batch-norm-kl-normal', 'no-hidden-loss', 'no-latent-loss', 'no-loss']
    for (const [arm, mean] of [...Object.entries(means), ...others.map((arm) => [arm, 0.013] as const)])
      for (const [index, deviation] of (arm === 'kl-silu' ? [-1, 0, 1] : [0, 1, -1]).entries()) {
        const seed = 6000 + index
        writeRun(scratch('runs/epochs-10', arm, `seed-${seed}`), { seed, testMse: mean + deviation * 1e-5 })
      }
    writeRun(scratch('runs/epochs-10/kl-silu/seed-6003'), { seed: 6003, status: 'failed' })
    await mkdir(join(docs, 'confirmation/epochs-10'), { recursive: true })
    const file = join(docs, 'confirmation/epochs-10/runs.csv')
    await rm(file)
    await study('runs', file, scratch('runs'), 'epochs-10')
    // The values of runs whose folders are gone are kept.
    await rm(scratch('runs/epochs-10/no-loss/seed-6002'), { recursive: true })
    await study('runs', file, scratch('runs'), 'epochs-10')
    expect((await study('missing', file, '6001', '6004')).stdout).toBe('6003,6004\n')
    const rows = (await readFile(file, 'utf8')).trimEnd().split('\n')
    expect(rows).toHaveLength(1 + 3 * 7 + 1)
    expect(rows).toContainEqual(expect.stringMatching(/^epochs-10\/kl-silu,6003,failed,,,,,,,,,cpu,/))
    await study('--docs', docs)
    const page = (await readFile(scratch('docs/study.md'), 'utf8')).replaceAll(/\n */g, ' ')
    // 100 · (0.0121 − 0.011) / 0.0121 = 9.09. In units of 1.1e-5, all deviations are 1: Welch's standard error is √(2/3), with
    // t = 2.776 at 4 degrees of freedom; the pairs differ by −1, −1 and 2, with a standard error of 1 and t = 4.303.
    expect(page).toContain(
      '9.1 % lower than that of the better batch norm**, `batch-norm-silu`: 0.01100 and 0.01210.',
    )
    expect(page).toContain(
      '8.88 to 9.30 % (Welch) and 8.70 to 9.48 % (paired; correlation over the seeds −0.50)',
    )
    expect(page).toContain('is **confirmed**. 3 of 4 and 3 of 3 runs were completed.')
    expect(page).toContain('| `kl-silu` (3 of 4 runs) | 0.01100 ± 0.00003 |')
  })
})
