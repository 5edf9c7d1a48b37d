import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { flopPerImage } from '../src/model/architecture.js'
import { eigenae, scratchFolder } from './support/cli.js'

const scratch = scratchFolder()

function smallConfig(fields: object = {}): string {
  const file = scratch('small.json')
  writeFileSync(file, JSON.stringify({ name: 'small', data: { limit: 640 }, ...fields }))
  return file
}

describe('eigenae bench', () => {
  it('prints the speed of the device of --device and its peak as JSON', async () => {
    const settings = '--epochs 2 --threads 1 --batch-size 32 --device cpu --json'.split(' ')
    const { code, stdout, stderr } = await eigenae(['bench', '--config', smallConfig(), ...settings])
    expect(stderr).not.toContain('not measured')
    expect(code).toBe(0)
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({ config: 'small', images: 640, batch_size: 32, threads: 1, rounds: 2 })
    expect(result.devices).toHaveLength(1)
    const [cpu] = result.devices
    expect(cpu).toMatchObject({ device: 'cpu', engine: 'native' })
    expect(cpu.seconds).toHaveLength(2)
    expect(cpu.peak_gigaflops).toBeGreaterThan(0)
    // Not below 1: the machine may be busier while it measures the peak than during the epochs.
    expect(cpu.share_of_floor).toBeCloseTo(cpu.gigaflops / cpu.peak_gigaflops, 12)
    expect(cpu.floor_seconds * cpu.peak_gigaflops).toBeCloseTo((640 * result.flop_per_image) / 1e9, 6)
    expect(cpu.gigaflops / cpu.images_per_second).toBeCloseTo(result.flop_per_image / 1e9, 6)
  })

  it('prints a table on stdout, and the devices that it skips on stderr', async () => {
    const { code, stdout, stderr } = await eigenae(['bench', '--config', smallConfig(), '--epochs', '1'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^small: 640 images, batch 64, 0\.71 GFLOP an epoch/)
    expect(stdout).toMatch(/^device +engine +s\/epoch +images\/s +GFLOP\/s +peak +share of floor$/m)
    expect(stdout).toMatch(/^cpu +native .* %$/m)
    const measured = (stdout.match(/^(cpu|wasm|cuda|tensorflow-cpu) /gm) ?? []).length
    expect(measured + (stderr.match(/^not measured: /gm) ?? []).length).toBe(4)
  })

  it('refuses a network that is too large, with the size that is', async () => {
    const widths = [784, 65_536, 65_536, 10]
    const { code, stderr } = await eigenae(['bench', '--config', smallConfig({ model: { widths } })])
    expect(stderr).toContain('model.widths: make 8,694,268,698 parameters; a checkpoint holds')
    expect(code).toBe(2)
  })

  it.each([
    ['--batch-size', '0'],
    ['--batch-size', 'many'],
    ['--epochs', '0'],
    ['--threads', '-1'],
    ['--device', 'abacus'],
  ])('refuses %s %s by its name', async (flag, value) => {
    const { code, stderr } = await eigenae(['bench', flag, value])
    expect(code).toBe(2)
    expect(stderr).toContain(flag)
  })

  it('counts the products of every layer, without a gradient of the images', () => {
    expect(flopPerImage({ widths: [4, 3, 2], batchNorm: 'none', activation: 'relu' })).toBe(
      2 * (2 * 4 * 3 + 3 * 3 * 2 + 3 * 2 * 3 + 3 * 3 * 4),
    )
    const mnist = flopPerImage({ widths: [784, 128, 64, 12, 10], batchNorm: 'none', activation: 'relu' })
    expect((60_000 * mnist) / 1e9).toBeCloseTo(66.75, 2)
  })
})
