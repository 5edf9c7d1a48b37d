import { describe, expect, it } from 'vitest'
import { eigenae, scratchFolder, trainArgs } from '../support/cli.js'

const scratch = scratchFolder()

/**
 * Bounds from PyTorch for three epochs on all 60,000 images: the test MSE with noisy input of tests/golden/reference.py,
 * seeds 0 to 2, run on 2026-11-24, ± 15 %. Without an eigen loss units die by chance, so the range of that arm is wider.
 */
const arms = [
  { config: 'baseline.json', denoiseMse: [0.0242, 0.0475], topShare: [0.35, 0.95], dead: [2, 8] },
  { config: 'eigen.json', denoiseMse: [0.85 * 0.032, 1.15 * 0.0339], topShare: [0.11, 0.16], dead: [0, 0] },
  {
    config: 'log-max.json',
    denoiseMse: [0.85 * 0.0452, 1.15 * 0.0472],
    topShare: [0.15, 0.24],
    dead: [0, 4],
  },
  {
    config: 'batch-norm.json',
    denoiseMse: [0.85 * 0.0197, 1.15 * 0.0206],
    topShare: [0.14, 0.22],
    dead: [0, 0],
  },
] as const

async function trained(config: string, seed: number) {
  const args = [...trainArgs(config, scratch(config)), '--epochs', '3', '--seed', String(seed), '--json']
  const { stdout } = await eigenae(args)
  return JSON.parse(stdout)
}

function expectWithin(value: number, [low, high]: readonly [number, number], what: string): void {
  expect(value, what).toBeGreaterThanOrEqual(low)
  expect(value, what).toBeLessThanOrEqual(high)
}

describe('three epochs of an arm with a seed that PyTorch did not run', () => {
  it.each(arms)(
    '$config: test MSE and spectrum agree with PyTorch',
    async ({ config, denoiseMse, topShare, dead }) => {
      const { metrics, spectrum, linear_probe_accuracy } = await trained(config, 5)
      expectWithin(metrics.test_denoise_mse, denoiseMse, 'test MSE, noisy input')
      expectWithin(metrics.top_share, topShare, 'σ₁/Σσ')
      expectWithin(metrics.dead_dimensions, dead, 'dead dimensions')
      expect(metrics.test_mse).toBeLessThan(metrics.test_denoise_mse)
      expect(spectrum.singular_shares.length).toBe(10)
      expectWithin(linear_probe_accuracy, [0.4, 0.95], 'linear probe')
    },
  )
})
