import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { scratchFolder } from '../support/cli.js'
import { describeWithCuda } from '../support/cuda-engine.js'

const scratch = scratchFolder()
const script = join(import.meta.dirname, '../../scripts/gpu-check.sh')
const minutes = 60_000

describeWithCuda('the first steps of scripts/gpu-check.sh', ({ environment }) => {
  function check(out: string, steps: string, variables: Readonly<Record<string, string>>) {
    const env = { ...process.env, ...variables }
    const args = [script, '--out', scratch(out), '--only', steps]
    const { status, stderr } = spawnSync('bash', args, { env, encoding: 'utf8' })
    return { status, stderr, text: status === 2 ? '' : readFileSync(scratch(out), 'utf8') }
  }

  it('find the bytes of the emulation, times and the cycles of every phase', {
    timeout: 15 * minutes,
  }, () => {
    const { status, text } = check('right', 'bytes,times,phases', environment)
    expect(text.match(/the same bytes as the emulation/g)).toHaveLength(6)
    expect(text).toMatch(/^eigen +2 at once, 3 steps: \d+\.\d{4} s, [\d.]+ us a step/m)
    const phases = [...text.matchAll(/^ {2}(phase \d|wait \d|eigen losses) +(\d+) cycles a step$/gm)]
    expect(new Set(phases.map(([, name]) => name)).size).toBe(17)
    for (const [line, , cycles] of phases) expect(Number(cycles), line).toBeGreaterThan(0)
    expect(text).toMatch(/\nall right, in \d+ s\n$/)
    expect(status).toBe(0)
  })

  it('fail without a driver, and name the library', { timeout: 5 * minutes }, () => {
    const { status, text } = check('no-driver', 'bytes', { EIGENAE_LIBCUDA: '/nowhere/libcuda.so.1' })
    expect(text).toContain('card: /nowhere/libcuda.so.1: cannot open shared object file')
    expect(text).toContain('FAILED: bytes')
    expect(status).toBe(1)
  })

  it('are listed if a step does not exist', () => {
    const { status, stderr } = check('none', 'bites', {})
    expect(stderr).toContain('there is no step bites\nusage: scripts/gpu-check.sh [--only STEPS]')
    expect(status).toBe(2)
  })
})
