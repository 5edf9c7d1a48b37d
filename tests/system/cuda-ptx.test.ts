import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { buildEmulation } from '../../native/cuda/tests/build.mjs'
import { buildTranslated } from '../../native/cuda/tests/build-translated.mjs'
import { addModel, type Message, run, trainRequest } from '../../native/cuda/tests/requests.mjs'
import { coreSpec, encodeSpec, stepValues } from '../../src/engines/core.js'
import { compileKernel } from '../../src/engines/cuda/kernel.js'
import type { TrainerSpec } from '../../src/engines/engine.js'
import { loadNativeBinding } from '../../src/engines/native/binding.js'
import { typicalNetwork } from '../../src/engines/self-check.js'
import { initialState } from '../../src/model/state.js'
import { findNvrtc } from '../../src/setup/nvrtc.js'
import { scratchFolder } from '../support/cli.js'
import { describeWithCuda } from '../support/cuda-engine.js'
import { type Division, shapeOf } from '../support/emulated-cuda.js'
import { averaged } from '../support/engines.js'
import { formulaOfKind } from '../support/formulas.js'

// The kernels as NVRTC compiled them, translated to C++: what a card's driver gets.

// Compilers take half a minute together, and far longer on a machine that is busy.
vi.setConfig({ testTimeout: 900_000 })

const scratch = scratchFolder()

const plain: TrainerSpec = {
  ...typicalNetwork,
  widths: [20, 16, 8, 4],
  batchSize: 16,
  seed: 3,
  eigenLosses: [
    { formula: formulaOfKind('top-k', { k: 2 }, true), weight: 0.1, layers: [2], minimumImages: 6 },
    { formula: formulaOfKind('log-det', { epsilon: 0.1 }), weight: 0.1, layers: [2], minimumImages: 6 },
  ],
}
const everything: TrainerSpec = { ...plain, batchNorm: 'all', activation: 'silu', optimizer: averaged(0.9) }

const images = Uint8Array.from({ length: 40 * 20 }, (_, i) => (i * 7919) % 256)

/** Three steps, the last of half a batch. */
function training(spec: TrainerSpec): Message {
  const order = Uint32Array.from({ length: 40 }, (_, i) => (i * 37) % 40)
  const batches = { order, epoch: 1, count: 40, values: stepValues(spec, 0, 3) }
  return addModel(trainRequest(1), coreSpec(spec), initialState(spec, spec.seed), batches, images)
}

/** Returns the PTX of a division that a card need not choose. */
async function ptxOf(spec: TrainerSpec, { blocks, tiles }: Division): Promise<string> {
  const { cuda } = loadNativeBinding().binding
  const plan = cuda.planKernel(encodeSpec(spec), 232448, 132)
  if (plan.refusal !== null) throw new Error(plan.refusal)
  const division = { BLOCKS: blocks, TILES: tiles }
  const options = plan.options.map((option) =>
    option.replace(/^-D(BLOCKS|TILES)=.*/, (_, name: keyof typeof division) => `-D${name}=${division[name]}`),
  )
  return compileKernel(cuda, findNvrtc(), options)
}

describeWithCuda('the kernels in PTX', () => {
  it.each<[string, TrainerSpec, Division]>([
    ['without batch norm', plain, { blocks: 2, tiles: 1 }],
    ['with everything at once', everything, { blocks: 4, tiles: 2 }],
  ])('give the same bytes as their source %s', async (_, spec, division) => {
    const shape = shapeOf(coreSpec(spec), division)
    const source = await buildEmulation(shape)
    const translated = buildTranslated(shape, await ptxOf(spec, division))
    expect(run([source, translated, translated], training(spec)).length).toBeGreaterThan(4000)
  })

  it('have no race, and one if the barriers of the workers are left out', async () => {
    const division = { blocks: 2, tiles: 1 }
    const ptx = await ptxOf(plain, division)
    const unordered = ptx.replaceAll(/^\s*barrier\.sync 1, 256;$/gm, '')
    expect(unordered).not.toBe(ptx)
    const findings = [ptx, unordered].map((text) => {
      const program = buildTranslated(shapeOf(coreSpec(plain), division), text, { sanitizer: true })
      writeFileSync(scratch('request'), training(plain).bytes())
      // Without a fixed layout of addresses ThreadSanitizer refuses some kernels of Linux.
      const args = ['-R', program, scratch('request'), scratch('response')]
      const env = { ...process.env, TSAN_OPTIONS: 'halt_on_error=1' }
      const { status, stderr } = spawnSync('setarch', args, { encoding: 'utf8', env })
      return { status, race: stderr.includes('data race') }
    })
    expect(findings).toEqual([
      { status: 0, race: false },
      { status: 66, race: true },
    ])
  })
})
