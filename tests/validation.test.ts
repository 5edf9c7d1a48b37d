import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { endedAt } from './support/hold.js'
import { dataFolder, idxImages } from './support/idx.js'
import { expectSameRuns, readJson } from './support/sweeps.js'

const scratch = scratchFolder()
const heldOut = 40
let data: string
/** Like `data`, but with other pixels in the last 40 images of train. */
let otherHeldOut: string
let whole: string

beforeAll(async () => {
  data = dataFolder(scratch('data'))
  const images = idxImages(200)
  images.fill(255, images.length - heldOut * 784)
  otherHeldOut = dataFolder(scratch('other-data'), { 'train-images-idx3-ubyte': images })
  whole = scratch('whole')
  expect((await eigenae(argsFor(whole, data, heldOut))).code).toBe(0)
})

function argsFor(folder: string, source: string, validation: number, ...settings: readonly string[]) {
  const set = [`data.source=${source}`, `data.validation=${validation}`, 'train.epochs=3', ...settings]
  return trainArgs('eigen.json', folder, ...set)
}

function metricsOf(folder: string): Readonly<Record<string, readonly string[]>> {
  const [header, ...lines] = readFileSync(join(folder, 'metrics.csv'), 'utf8').trim().split('\n')
  const rows = lines.map((line) => line.split(','))
  return Object.fromEntries(
    header!.split(',').map((column, index) => [column, rows.map((row) => row[index]!)]),
  )
}

describe('images held out by data.validation', () => {
  it('are measured, and change nothing that the network learns', async () => {
    const other = scratch('other')
    await eigenae(argsFor(other, otherHeldOut, heldOut))
    const { validation_mse, validation_denoise_mse, ...rest } = metricsOf(whole)
    const {
      validation_mse: otherMse,
      validation_denoise_mse: otherDenoiseMse,
      ...otherRest
    } = metricsOf(other)
    expect(validation_mse!.every((value) => Number(value) > 0)).toBe(true)
    expect(otherMse).not.toEqual(validation_mse)
    expect(otherDenoiseMse).not.toEqual(validation_denoise_mse)
    expect(otherRest).toEqual(rest)
  })

  it('are the last ones of train: the others are trained on as by data.limit', async () => {
    const limited = scratch('limited')
    await eigenae(argsFor(limited, data, 0, `data.limit=${200 - heldOut}`))
    const { validation_mse, validation_denoise_mse, ...rest } = metricsOf(limited)
    expect([validation_mse, validation_denoise_mse]).toEqual([
      ['', '', ''],
      ['', '', ''],
    ])
    const { validation_mse: _mse, validation_denoise_mse: _denoise, ...expected } = metricsOf(whole)
    expect(rest).toEqual(expected)
  })

  it('leave config.json and evaluation.json as they were if there are none', async () => {
    const none = scratch('none')
    await eigenae(argsFor(none, data, 0))
    expect(readJson(join(none, 'config.json')).data).not.toHaveProperty('validation')
    const { metrics } = readJson(join(none, 'evaluation.json'))
    expect(metrics).not.toHaveProperty('validation_mse')
    const again = await eigenae([...argsFor(none, data, 0), '--resume'])
    expect(again.stderr).toContain('already complete')
  })

  it('give the same bytes when the run is killed and resumed', async () => {
    const killed = scratch('killed')
    await endedAt(2, 'SIGKILL', argsFor(killed, data, heldOut))
    expect((await eigenae([...argsFor(killed, data, heldOut), '--resume'])).code).toBe(0)
    await expectSameRuns(['.'], killed, whole)
  })

  it('are printed by train, and compared by name', async () => {
    const printed = await eigenae([...argsFor(whole, data, heldOut), '--resume'])
    expect(printed.stdout).toMatch(/^noisy validation MSE +0\.\d+$/m)
    const compared = await eigenae(['compare', whole, '--metric', 'validation_denoise_mse'])
    expect(compared.stdout).toContain('validation MSE, noisy input, lower is better (validation_denoise_mse)')
  })

  it.each([
    [200, [], 'data.validation: holds out 200 of 200 images, which leaves 0 to train on'],
    [40, ['data.limit=161'], 'data.validation: holds out 40 of 200 images, which leaves 160 to train on'],
  ])('are refused if they leave too few to train on: %j %j', async (count, settings, message) => {
    const { code, stderr } = await eigenae(argsFor(scratch('refused'), data, count, ...settings))
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})
