import { describe, expect, it } from 'vitest'
import { selectEngine } from '../src/engines/select.js'
import { smallLosses, smallSpec, trainSteps } from '../src/engines/self-check.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { engines } from './support/engines.js'

const scratch = scratchFolder()

describe('the TensorFlow devices', () => {
  it.each(engines)('are checked by losses that engine $name reproduces', async (engine) => {
    const found = await trainSteps(() => engine.createTrainer(smallSpec, new Uint8Array(0)), smallSpec)
    for (const [step, losses] of smallLosses.entries())
      for (const [index, loss] of losses.entries()) expect(found[step]![index]).toBeCloseTo(loss, 6)
  })

  it('are not chosen by auto without a card', async () => {
    expect((await selectEngine('auto')).engine.device).toBe('cpu')
  })

  it('are an error if they are requested and cannot be used: no other device trains instead', async () => {
    const out = scratch('run')
    const env = { EIGENAE_TENSORFLOW_DIR: scratch('nothing') }
    const { code, stdout, stderr } = await eigenae(
      [...trainArgs('eigen.json', out), '--device', 'tensorflow-cpu'],
      { env },
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('eigenae setup tensorflow --cpu')
  })
})
