import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeWithCuda } from '../support/cuda-engine.js'

const script = join(import.meta.dirname, '../../bench/cuda/bytes.mjs')
const minutes = 60_000

/** Opens the CUDA core for the default network. Prints the division and the models at once, or the refusal. */
const opening = `
  import { openCore } from './bench/cuda/core.mjs'
  import { typicalNetwork } from './dist/engines/self-check.js'
  const { origin, atOnce } = await openCore(typicalNetwork).catch(({ message }) => ({ origin: message }))
  console.log(origin, atOnce)`

describeWithCuda('the experiment’s arms on a card', ({ environment }) => {
  // The file was written with 13 blocks a model.
  it.each([
    ['13 blocks', 227],
    ['26 or 52 blocks, and tiles', 99],
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

describeWithCuda('a card of the table in docs/gpu.md', ({ environment }) => {
  const root = join(import.meta.dirname, '../..')
  const page = readFileSync(join(root, 'docs/gpu.md'), 'utf8')

  it.each(['H100 PCIe', 'A100, 40 or 80 GB', 'GeForce RTX 3060', 'T4', 'GeForce RTX 4060'])(
    'trains the default network as the table lists, or refuses it for the reason there: %s',
    { timeout: 10 * minutes },
    (name) => {
      const row = page.split('\n').find((line) => line.startsWith(`| ${name} |`))!
      const [, , capability, multiprocessors, shared, cell] = row.split('|').map((text) => text.trim())
      const card = `capability=${capability},multiprocessors=${multiprocessors},shared=${parseInt(shared!, 10) * 1024}`
      const env = { ...process.env, ...environment, EIGENAE_STAND_IN: card }
      const args = ['--input-type=module', '-e', opening]
      const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: 'utf8' })
      expect(stderr).toBe('')
      const [, blocks, models] = /^(\d+) blocks, (\d+) model/.exec(cell!) ?? []
      if (blocks === undefined)
        expect(stdout).toContain(`the CUDA core does not train a network that ${cell!.replace('no: ', '')} `)
      else expect(stdout).toMatch(new RegExp(` ${blocks} blocks a model; .* ${models}\n$`))
    },
  )
})
