import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { eigenae, scratchFolder } from '../support/cli.js'
import { missingPython, pythonWith } from '../support/python.js'
import { skipsWithout } from '../support/requirements.js'
import { tinyConfigs, writeJson } from '../support/sweeps.js'

const skipped = skipsWithout(missingPython())
const scratch = scratchFolder()
const program = join(import.meta.dirname, '../../examples/plot_runs.py')

it.skipIf(skipped)(
  'plot_runs.py reads a sweep with pandas and plots it',
  async () => {
    tinyConfigs(scratch(), 2)
    const variants = { none: 'none.json', eigen: 'eigen.json' }
    const sweep = writeJson(scratch('sweep.json'), { name: 'read', variants, seeds: '0-1' })
    expect((await eigenae(['sweep', '--config', sweep], { cwd: scratch() })).code).toBe(0)
    const python = pythonWith(['pandas', 'matplotlib'])
    const printed = execFileSync(python, [program, 'runs/read', 'picture.png'], {
      cwd: scratch(),
      encoding: 'utf8',
    })
    const { stdout } = await eigenae(['compare', 'runs/read', '--json', '--metric', 'test_mse'], {
      cwd: scratch(),
    })
    for (const { group, mean } of JSON.parse(stdout).rows) {
      const row = printed.split('\n').find((line) => line.startsWith(`${group.split('/').at(-1)} `))
      // pandas prints six decimals.
      expect(Number(row?.split(/ +/)[1])).toBeCloseTo(mean, 6)
    }
    const png = readFileSync(scratch('picture.png'))
    // The size in pixels is in the head of a PNG file.
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1650, 600])
  },
  300_000,
)
