import { rmSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readMetrics } from '../../src/runs/read.js'
import { eigenae, scratchFolder, start } from '../support/cli.js'
import { holdAt } from '../support/hold.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from '../support/sweeps.js'
import { describeWithTensorflow, tensorflowDevice } from '../support/tensorflow-engine.js'

const scratch = scratchFolder()
const runs = [0, 1, 2, 3].map((seed) => `eigen/seed-${seed}`)

describeWithTensorflow(() => {
  tinyConfigs(scratch(), 3)
  const config = writeJson(scratch('sweep.json'), {
    ...{ name: 'sweep', variants: { eigen: 'eigen.json' }, seeds: [0, 1, 2, 3] },
  })
  const args = (out: string, ...more: readonly string[]) => [
    ...['sweep', '--config', config, '--device', tensorflowDevice, '--jobs', '1', '--out', scratch(out)],
    ...more,
  ]
  const metricsOf = (out: string, run: string) => readMetrics(scratch(out, run, 'metrics.csv'))

  it('a sweep trains seeds side by side with the results of separate training up to the last digits', async () => {
    expect((await eigenae(args('alone'))).code).toBe(0)
    const { code, stderr } = await eigenae(args('together', '--replicas', '4'))
    expect(code).toBe(0)
    expect(stderr).toContain('up to 4 seeds side by side')
    for (const run of runs) {
      const [alone, together] = [await metricsOf('alone', run), await metricsOf('together', run)]
      expect(together.length).toBe(3)
      for (const [epoch, row] of together.entries()) {
        expect(Math.abs(row.test_mse / alone[epoch]!.test_mse - 1)).toBeLessThan(1e-3)
      }
      expect(readJson(scratch('together', run, 'run.json')).engine.variant).toContain('4 side by side')
    }
  })

  it('a killed sweep of seeds side by side gives the bytes of an undisturbed one, whichever runs are left', async () => {
    const long = ['--replicas', '4', '--set', 'train.epochs=10']
    expect((await eigenae(args('undisturbed', ...long))).code).toBe(0)
    const hold = holdAt(5, { run: runs[3]! })
    const running = start(args('killed', ...long), { env: hold.env })
    const writer = await hold.reached()
    running.process.kill('SIGKILL')
    process.kill(writer, 'SIGKILL')
    await running.finished
    expect((await eigenae(args('killed', ...long, '--resume'))).code).toBe(0)
    await expectSameRuns(runs, scratch('killed'), scratch('undisturbed'))
    rmSync(scratch('killed', runs[2]!), { recursive: true })
    expect((await eigenae(args('killed', ...long, '--resume'))).code).toBe(0)
    await expectSameRuns(runs, scratch('killed'), scratch('undisturbed'))
  })

  it('a run that fails does not stop the seeds beside it', async () => {
    const hold = holdAt(3, { run: runs[1]! })
    const running = start(args('one-fails', '--replicas', '4', '--set', 'train.epochs=10'), { env: hold.env })
    const writer = await hold.reached()
    rmSync(scratch('one-fails', runs[1]!, 'checkpoint'), { recursive: true, maxRetries: 5 })
    writeFileSync(scratch('one-fails', runs[1]!, 'checkpoint'), 'in the way')
    process.kill(writer, 'SIGCONT')
    const { code, stderr } = await running.finished
    expect(code).toBe(1)
    expect(stderr).toMatch(/eigen\/seed-1: failed: .*checkpoint/)
    expect(stderr).toContain('3 runs completed, 1 failed')
  })
})
