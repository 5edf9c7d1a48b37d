import { beforeAll, describe, expect, it } from 'vitest'
import { stalledWarning } from '../src/training/divergence.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const cwd = scratch()
beforeAll(() => tinyConfigs(cwd, 4))

const sweep = (name: string, ...settings: readonly string[]) => {
  const config = writeJson(scratch(`${name}.json`), { name, variants: { none: 'none.json' }, seeds: [0] })
  return eigenae(['sweep', '--config', config, ...settings.flatMap((each) => ['--set', each])], { cwd })
}
const train = (out: string, ...settings: readonly string[]) =>
  eigenae(['train', '--config', 'none.json', '--out', out, ...settings.flatMap((each) => ['--set', each])], {
    cwd,
  })

describe('a run that fails', () => {
  it('is printed with its reason first and without its path', async () => {
    const { code, stderr } = await sweep('diverges', 'optimizer.learningRate=1e30')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^none\/seed-0: failed: training diverged: /m)
    expect(stderr).toMatch(/^ {2}none\/seed-0 +1 {2}training diverged: /m)
    expect(stderr).toContain('runs/diverges/<run>/train.log')
    expect(stderr).not.toContain(scratch('runs'))
  })
})

describe('a network that is dead', () => {
  const warning = /^warning: .*: the test MSE is exactly the same in (all 4|the last 3) epochs/m

  it('causes a warning of train', async () => {
    const { code, stderr } = await train('dead', 'optimizer.learningRate=100', 'train.batchSize=10')
    expect(code).toBe(0)
    expect(stderr).toMatch(warning)
  })

  it('causes a warning of sweep', async () => {
    const { code, stderr } = await sweep('dead', 'optimizer.learningRate=100', 'train.batchSize=10')
    expect(code).toBe(0)
    expect(stderr).toMatch(warning)
  })

  it('causes no warning while it still learns', async () => {
    expect((await train('alive')).stderr).not.toContain('warning')
  })

  it.each([
    [[1], null],
    [[2, 1], null],
    [[1, 1], 'all 2'],
    [[2, 1, 1], null],
    [[2, 1, 1, 1], 'the last 3'],
    [[1, 1, 1, 2], null],
  ])('is recognised by its last test errors: %j', (errors, epochs) => {
    const found = stalledWarning(errors.map((test_mse) => ({ test_mse, learning_rate: 0.1 })))
    if (epochs === null) expect(found).toBeNull()
    else expect(found).toContain(`in ${epochs} epochs`)
  })

  it('is none whose schedule has reached 0, after which nothing changes', async () => {
    const rest = [1, 1, 1].map((test_mse) => ({ test_mse, learning_rate: 0 }))
    const dead = [1, 1, 1].map((test_mse) => ({ test_mse, learning_rate: 0.1 }))
    expect(stalledWarning([{ test_mse: 1, learning_rate: 0.1 }, ...rest])).toBeNull()
    expect(stalledWarning([...dead, ...rest])).toContain('in all 3 epochs with a learning rate over 0, ')
    const schedule = { from: 0.005, to: 0, shape: 'cosine', epochs: 1 }
    const { code, stderr } = await train('rested', `optimizer.learningRate=${JSON.stringify(schedule)}`)
    expect([code, stderr.match(/^warning: .*$/gm)]).toEqual([
      0,
      ['warning: optimizer.learningRate: is 0 after 1 of 4 epochs; the remaining epochs train nothing'],
    ])
  })
})
