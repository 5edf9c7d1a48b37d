import { rmSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { eigenae, scratchFolder, start } from '../support/cli.js'
import { describeWithCuda } from '../support/cuda-engine.js'
import { holdAt } from '../support/hold.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from '../support/sweeps.js'

const scratch = scratchFolder()
const weights = [0, 0.1]
const seeds = [0, 1]
const runs = weights.flatMap((weight) =>
  seeds.map((seed) => `eigen,loss.eigen.weight=${weight}/seed-${seed}`),
)

describeWithCuda('a sweep by the CUDA core', ({ environment }) => {
  const env = {
    ...environment,
    CUDA_VISIBLE_DEVICES: '0',
    EIGENAE_TENSORFLOW_DIR: scratch('no-tensorflow'),
  }
  tinyConfigs(scratch(), 3)
  const config = writeJson(scratch('sweep.json'), {
    ...{ name: 'sweep', variants: { eigen: 'eigen.json' }, grid: { 'loss.eigen.weight': weights }, seeds },
  })
  const args = (out: string, ...more: readonly string[]) => [
    ...['sweep', '--config', config, '--device', 'cuda', '--out', scratch(out), ...more],
  ]
  const sweep = (out: string, ...more: readonly string[]) => eigenae(args(out, ...more), { env })

  it('trains runs of different configs in one process, with the bytes of runs on their own', async () => {
    const together = await sweep('together')
    expect(together.code).toBe(0)
    expect(together.stderr).toContain(`${runs.length} at once on gpu 0, side by side in one process`)
    expect((await sweep('alone', '--jobs-per-gpu', '1')).code).toBe(0)
    await expectSameRuns(runs, scratch('together'), scratch('alone'))
  })

  it('gives the same bytes after a kill, whichever runs are left', async () => {
    expect((await sweep('undisturbed')).code).toBe(0)
    const hold = holdAt(2, { run: runs[3]! })
    const running = start(args('killed'), { env: { ...env, ...hold.env } })
    const runner = await hold.reached()
    running.process.kill('SIGKILL')
    process.kill(runner, 'SIGKILL')
    await running.finished
    rmSync(scratch('killed', runs[1]!), { recursive: true, force: true })
    expect((await sweep('killed', '--resume')).code).toBe(0)
    await expectSameRuns(runs, scratch('killed'), scratch('undisturbed'))
  })

  it('continues the other runs if one fails', async () => {
    const hold = holdAt(2, { run: runs[1]! })
    const running = start(args('one-fails'), { env: { ...env, ...hold.env } })
    const runner = await hold.reached()
    rmSync(scratch('one-fails', runs[1]!, 'checkpoint'), { recursive: true, maxRetries: 5 })
    writeFileSync(scratch('one-fails', runs[1]!, 'checkpoint'), 'in the way')
    process.kill(runner, 'SIGCONT')
    const { code } = await running.finished
    expect(code).toBe(1)
    const states = runs.map((run) => readJson(scratch('one-fails', run, 'run.json')).status)
    expect(states).toEqual(['completed', 'failed', 'completed', 'completed'])
  })

  it('stops all runs on one Ctrl-C, and resumes them', async () => {
    const hold = holdAt(2, { run: runs[0]!, release: ['SIGTERM'] })
    const running = start(args('stopped'), { env: { ...env, ...hold.env } })
    await hold.reached()
    running.process.kill('SIGINT')
    expect((await running.finished).code).toBe(130)
    expect((await sweep('stopped', '--resume')).code).toBe(0)
    await expectSameRuns(runs, scratch('stopped'), scratch('undisturbed'))
  })
})
