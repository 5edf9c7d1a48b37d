import { afterEach, expect, it, vi } from 'vitest'
import { skipsWithout } from './support/requirements.js'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

it('prints why tests are skipped, and fails where CI is set', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  vi.stubEnv('CI', '')
  expect(skipsWithout(null)).toBe(false)
  expect(skipsWithout('no Slurm')).toBe(true)
  expect(warn.mock.calls).toEqual([['skipped: no Slurm']])
  vi.stubEnv('CI', 'true')
  expect(skipsWithout(null)).toBe(false)
  expect(() => skipsWithout('no Slurm')).toThrow('no Slurm')
})
