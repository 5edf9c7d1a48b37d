import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { configWarnings } from '../src/config/check.js'
import { loadConfig } from '../src/config/load.js'
import { type Config, configText } from '../src/config/schema.js'
import { EigenaeError } from '../src/errors.js'
import { learningRateAt, scheduledValue } from '../src/model/schedule.js'
import { trainerSpec } from '../src/training/spec.js'
import { scratchFolder } from './support/cli.js'

const scratch = scratchFolder()

async function load(fields: object): Promise<Config> {
  const file = scratch('config.json')
  await writeFile(file, JSON.stringify({ name: 'c', ...fields }))
  return loadConfig(file)
}

/** Returns the mistakes of a config without their places. */
async function mistakes(fields: object): Promise<readonly string[]> {
  try {
    await load(fields)
  } catch (error) {
    if (error instanceof EigenaeError)
      return (error.parts.details ?? []).map((line) => line.replace(/^\d+:\d+ /, ''))
    throw error
  }
  return []
}

const eigen = (loss: unknown, others: object = {}) => ({ loss: { eigen: loss }, ...others })
const layers = (names: unknown) => eigen({ kind: 'entropy', layers: names })

describe('the layers of an eigen loss', () => {
  it('are the latent layer by default, and are written only if they are not', async () => {
    expect(configText(await load(eigen({ kind: 'entropy' })))).not.toContain('layers')
    expect(configText(await load(layers(['latent', 'encoder.2'])))).toContain('"layers"')
  })

  it('reach the engines as positions in the order of the forward pass', async () => {
    const positions = async (choice: unknown) =>
      trainerSpec(await load(layers(choice)), 60_000, 1).eigenLosses[0]!.layers
    expect(await positions('latent')).toEqual([3])
    expect(await positions(['decoder.0', 'latent', 'encoder.2'])).toEqual([2, 3, 4])
    expect(await positions(['encoder.3'])).toEqual([3])
  })

  it('are refused if a layer does not exist, is the output, or is named twice', async () => {
    const known = 'encoder.0, encoder.1, encoder.2, latent, decoder.0, decoder.1, decoder.2'
    expect(await mistakes(layers(['encoder.9']))).toEqual([
      `loss.eigen.layers.0: must be a layer of this network: ${known} (got "encoder.9")`,
    ])
    expect(await mistakes(layers(['latent', 'decoder.3']))).toEqual([
      `loss.eigen.layers.1: must be a layer of this network: ${known} (got "decoder.3")`,
    ])
    expect(await mistakes(layers(['latent', 'encoder.3']))).toEqual([
      'loss.eigen.layers.1: must not name the layer latent again (got "encoder.3")',
    ])
    expect(await mistakes(layers('decoder'))).toEqual([
      'loss.eigen.layers: must be "latent" or "hidden" or "all", or a list of layers like ["encoder.1", "latent"] (got "decoder")',
    ])
  })

  it('are refused if a batch has too few images for their widths', async () => {
    expect(await mistakes(layers('hidden'))).toEqual([
      expect.stringContaining('train.batchSize: must be over 128, the width of encoder.0, with loss.eigen'),
    ])
  })

  it('may be those of batch norm, by the same names', async () => {
    expect(await mistakes({ model: { batchNorm: ['latent', 'decoder.3'] } })).toEqual([
      expect.stringContaining('model.batchNorm.1: must be a layer of this network'),
    ])
  })
})

describe('a list of eigen losses', () => {
  it('has its mistakes at the elements, each with its kind', async () => {
    const found = await mistakes(eigen([{ k: 0 }, { kind: 'entropi' }, { kind: 'log-max', k: 1 }, 7]))
    expect(found).toEqual(
      expect.arrayContaining([
        'loss.eigen.0.k: must be at least 1 (got 0)',
        expect.stringContaining('loss.eigen.1.kind: must be "top-k" or "log-max"'),
        expect.stringContaining('loss.eigen.2.k: is not a field of the kind "log-max"'),
        expect.stringContaining('loss.eigen.3: must be an object'),
      ]),
    )
  })

  it('must not be empty', async () => {
    expect(await mistakes(eigen([]))).toEqual(['loss.eigen: must be a list of at least 1 (got [])'])
  })
})

const schedule = { from: 0.1, to: 0.001, shape: 'exponential', epochs: 2 }

describe('a schedule', () => {
  it('counts in steps of the training images and rests at its last value', async () => {
    const config = await load({ optimizer: { learningRate: schedule } })
    const { learningRate } = trainerSpec(config, 1000, 1).optimizer
    expect(learningRate).toEqual({ from: 0.1, to: 0.001, shape: 'exponential', steps: 32 })
    expect([0, 16, 32, 1000].map((step) => scheduledValue(learningRate, step))).toEqual([
      0.1,
      expect.closeTo(0.01, 12),
      0.001,
      0.001,
    ])
  })

  it.each([
    ['linear', 0.55],
    ['cosine', 0.55],
    ['step', 1],
  ] as const)('of shape %s has %d half-way from 1 to 0.1', (shape, half) => {
    expect(scheduledValue({ from: 1, to: 0.1, shape, steps: 8 }, 4)).toBeCloseTo(half, 12)
  })

  it('multiplies the learning rate by a warm-up that reaches 1 at its last step', () => {
    const rates = [0, 1, 3, 4].map((step) => learningRateAt({ learningRate: 0.4, warmup: 4 }, step))
    expect(rates).toEqual([0.1, 0.2, 0.4, 0.4])
  })

  it('is refused with the field that is wrong', async () => {
    const rate = (changes: object) => mistakes({ optimizer: { learningRate: { ...schedule, ...changes } } })
    expect(await rate({ epochs: 0 })).toEqual(['optimizer.learningRate.epochs: must be over 0 (got 0)'])
    expect(await rate({ shape: 'cosin' })).toEqual([
      expect.stringContaining('optimizer.learningRate.shape: must be "exponential" or "linear"'),
    ])
    expect(await rate({ to: 0 })).toEqual([
      'optimizer.learningRate.shape: must not be "exponential" unless to is over 0; use "cosine" or "linear" to end at 0 (got "exponential")',
    ])
    expect(await rate({ to: -1, shape: 'linear' })).toEqual([
      'optimizer.learningRate.to: must be at least 0 (got -1)',
    ])
    expect(await rate({ from: 0, shape: 'linear' })).toEqual([
      'optimizer.learningRate.from: must be over 0 (got 0)',
    ])
    expect(await rate({ till: 3 })).toEqual([
      expect.stringContaining('optimizer.learningRate.till: unknown key'),
    ])
    const weight = { kind: 'top-k', weight: { ...schedule, to: 0 } }
    expect(await mistakes(eigen(weight))).toEqual([
      'loss.eigen.weight.shape: must not be "exponential" unless from and to are both over 0, or both under 0; use "cosine" or "linear" to end at 0 (got "exponential")',
    ])
    expect(await mistakes(eigen({ kind: 'top-k', weight: [1] }))).toEqual([
      expect.stringContaining('loss.eigen.weight: must be a number, or a schedule like'),
    ])
  })

  it.each(['cosine', 'linear', 'step'] as const)(
    'of shape %s may take the learning rate to 0',
    async (shape) => {
      const config = await load({ optimizer: { learningRate: { from: 0.1, to: 0, shape, epochs: 2 } } })
      const { learningRate } = trainerSpec(config, 640, 1).optimizer
      expect([19, 20, 1000].map((step) => scheduledValue(learningRate, step))).toEqual([
        expect.any(Number),
        0,
        0,
      ])
      expect(scheduledValue(learningRate, 19)).toBeGreaterThan(0)
      expect(configWarnings(config)).toEqual([
        'optimizer.learningRate: is 0 after 2 of 10 epochs; the remaining epochs train nothing',
      ])
      expect(configWarnings({ ...config, train: { ...config.train, epochs: 2 } })).toEqual([])
    },
  )

  it('that is longer than the training gives a warning', async () => {
    const config = await load({ optimizer: { learningRate: schedule }, train: { epochs: 1 } })
    expect(configWarnings(config)).toEqual([
      'optimizer.learningRate: the schedule is 2 epochs long, the training only 1',
    ])
    expect(configWarnings(await load({ optimizer: { learningRate: schedule } }))).toEqual([])
  })
})

describe('a negative weight', () => {
  const warning = (path: string) => `${path}: is negative, so training raises the loss instead of lowering it`

  it('gives a warning, in a schedule and in a list as well', async () => {
    const course = { from: 1, to: -0.5, shape: 'linear', epochs: 5 }
    expect(configWarnings(await load(eigen({ kind: 'entropy', weight: -1 })))).toEqual([
      warning('loss.eigen.weight'),
    ])
    expect(
      configWarnings(await load(eigen([{ kind: 'entropy' }, { kind: 'variance', weight: course }]))),
    ).toEqual([warning('loss.eigen.1.weight')])
    expect(configWarnings(await load(eigen({ kind: 'entropy', weight: 0 })))).toEqual([])
  })
})

describe('the optimiser', () => {
  it('has the fields of its kind only', async () => {
    expect(await mistakes({ optimizer: { kind: 'sgd', beta1: 0.5 } })).toEqual([
      expect.stringContaining('optimizer.beta1: is not a field of the kind "sgd", only of "adam" or "adamw"'),
    ])
    expect(await mistakes({ optimizer: { kind: 'adm' } })).toEqual([
      'optimizer.kind: must be "adam" or "adamw" or "sgd" (got "adm")',
    ])
    expect(await mistakes({ optimizer: { kind: 'sgd', nesterov: true } })).toEqual([
      'optimizer.nesterov: must be false without momentum: optimizer.momentum is 0 (got true)',
    ])
  })

  it('is Adam without weight decay by default, and its newer fields are written only if set', async () => {
    const plain = await load({})
    expect(configText(plain)).not.toMatch(/warmup|averaging|activation|init/)
    expect(plain.optimizer).toMatchObject({ kind: 'adam', warmup: 0, averaging: null })
  })

  it('refuses an average that would never move, and an unknown kind of it', async () => {
    expect(await mistakes({ optimizer: { averaging: { kind: 'ema', decay: 1 } } })).toEqual([
      'optimizer.averaging.decay: must be under 1 (got 1)',
    ])
    expect(await mistakes({ optimizer: { averaging: { kind: 'swa' } } })).toEqual([
      'optimizer.averaging.kind: must be "ema" (got "swa")',
    ])
  })
})
