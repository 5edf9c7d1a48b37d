import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { scratchFolder } from '../support/cli.js'

const root = join(import.meta.dirname, '../..')
const scratch = scratchFolder()

/** Runs an example in a folder and with an eigenae in the path, as after an installation. */
async function example(file: string, ...args: readonly string[]) {
  const program = file.endsWith('.mjs') ? process.execPath : join(root, 'examples', file)
  const path = file.endsWith('.mjs') ? [join(root, 'examples', file)] : []
  const env = { ...process.env, PATH: `${scratch('bin')}:${process.env.PATH}` }
  return promisify(execFile)(program, [...path, ...args], { cwd: scratch(), env })
}

beforeAll(() => {
  mkdirSync(scratch('bin'))
  symlinkSync(join(root, 'bin/eigenae.js'), scratch('bin/eigenae'))
})

describe('the examples', () => {
  it('sweep.sh trains a sweep and writes a table and a report', async () => {
    const args = ['weights', '--seeds', '0-1', '--set', 'train.epochs=1', '--set', 'data.limit=500']
    const { stdout } = await example('sweep.sh', ...args)
    expect(stdout).toContain('weights/comparison/report.html')
    expect(readFileSync(scratch('weights/comparison/report.html'), 'utf8')).toContain('<html')
    const rows = readFileSync(scratch('weights/runs.csv'), 'utf8').trim().split('\n')
    expect(rows).toHaveLength(1 + 3 * 2)
  })

  it('weights.mjs trains by the functions of the package, and nothing twice', async () => {
    const first = await example('weights.mjs', 'scripted', '1')
    expect(first.stdout).toMatch(/^scripted\/weight-0\.1\ttest_denoise_mse\t2\t0\.0\d+$/m)
    expect(first.stdout).toMatch(/^scripted\/weight-10\teffective_rank\t2\t\d\.\d+$/m)
    expect(first.stderr.match(/epoch 1: /g)).toHaveLength(6)
    const second = await example('weights.mjs', 'scripted', '1')
    expect(second.stdout).toBe(first.stdout)
    expect(second.stderr).not.toContain('epoch 1: ')
  })
})
