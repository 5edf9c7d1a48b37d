import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeWithCuda } from '../support/cuda-engine.js'

const script = join(import.meta.dirname, '../../bench/cuda/bytes.mjs')
const minutes = 60_000

describeWithCuda('the experiment’s arms on a card', ({ environment }) => {
  // The file was written with 13 blocks a model.
  it.each([
    ['13 blocks', 227],
    ['52 blocks', 99],
  ])(
    'give the bytes that bench/cuda/bytes.json lists, with %s a model',
    { timeout: 10 * minutes },
    (_, kibibytes) => {
      const env = { ...process.env, ...environment, EIGENAE_STAND_IN: `shared=${kibibytes * 1024}` }
      const { stdout, stderr } = spawnSync(process.execPath, [script], { env, encoding: 'utf8' })
      expect(stderr).toBe('')
      expect(stdout.match(/the same bytes as the emulation/g)).toHaveLength(4)
    },
  )
})
