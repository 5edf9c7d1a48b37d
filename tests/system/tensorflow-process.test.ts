import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { checkTrainingStep } from '../../src/engines/self-check.js'
import { openProcess, tensorflowEngine } from '../../src/engines/tensorflow/engine.js'
import { findInstallation } from '../../src/setup/installation.js'
import { eigenae, scratchFolder, start, trainArgs } from '../support/cli.js'
import { images, smallSpec } from '../support/engines.js'
import { holdAt } from '../support/hold.js'
import { expectSameRuns, writerOf } from '../support/sweeps.js'
import { describeWithTensorflow } from '../support/tensorflow-engine.js'

const scratch = scratchFolder()
const settings = ['data.limit=3000', 'train.epochs=3', 'device=tensorflow-cpu']
/** The weight becomes 0 within the second epoch, the learning rate changes until the last. */
const changing = [
  'model.batchNorm=["latent"]',
  'loss.eigen.weight={"from":1,"to":0,"shape":"step","epochs":1.5}',
  'optimizer.learningRate={"from":0.01,"to":0.001,"shape":"cosine","epochs":3}',
  'optimizer.averaging={"kind":"ema","decay":0.99}',
]
const cpu = { device: 'tensorflow-cpu', threads: 1, card: null } as const

/** Returns the number of the TensorFlow process that a process has started. */
function workerOf(pid: number): number {
  const children = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' })
  return Number.parseInt(children.split('\n').find((line) => line.includes('tensorflow/worker.js'))!, 10)
}

describeWithTensorflow((engine) => {
  describe('train --device tensorflow-cpu', () => {
    it.each([
      ['', []],
      [' with averages and schedules', changing],
    ] as const)(
      'writes the same bytes after it was killed and resumed, with another number of threads%s',
      async (name, changes) => {
        const whole = scratch(`whole${name}`)
        const parts = scratch(`parts${name}`)
        expect(
          (await eigenae([...trainArgs('eigen.json', whole, ...settings, ...changes), '--threads', '2']))
            .code,
        ).toBe(0)
        const args = [...trainArgs('eigen.json', parts, ...settings, ...changes), '--threads', '1']
        const hold = holdAt(1)
        const killed = start(args, { env: hold.env })
        process.kill(await hold.reached(), 'SIGKILL')
        expect((await killed.finished).signal).toBe('SIGKILL')
        expect((await eigenae([...args, '--resume'])).code).toBe(0)
        await expectSameRuns([''], parts, whole)
      },
    )

    it('stops on Ctrl-C with a checkpoint, although TensorFlow gets the signal, too', async () => {
      const out = scratch('interrupted')
      const running = start(trainArgs('eigen.json', out, ...settings, 'train.epochs=1000000'))
      const pid = await writerOf(out)
      for (const each of [workerOf(pid), pid]) process.kill(each, 'SIGINT')
      const { code, stderr } = await running.finished
      expect(code).toBe(130)
      expect(stderr).toContain('--resume')
    })

    it('reports the end of the TensorFlow process, and fails', async () => {
      const out = scratch('died')
      const running = start(trainArgs('eigen.json', out, ...settings, 'train.epochs=1000000'))
      process.kill(workerOf(await writerOf(out)), 'SIGABRT')
      const { code, stderr } = await running.finished
      expect(stderr).toMatch(/device tensorflow-cpu: TensorFlow failed: its process ended \(SIGABRT\)/)
      expect(code).toBe(1)
      expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')).status).toBe('failed')
    })

    it('reports why the process ended also to a call whose pipe breaks', async () => {
      for (let milliseconds = 0; milliseconds < 30; milliseconds += 5) {
        const worker = await openProcess(findInstallation('cpu'), cpu)
        process.kill(workerOf(process.pid), 'SIGABRT')
        const until = performance.now() + milliseconds
        while (performance.now() < until); // blocks, so that this process does not see the end first
        await expect(worker.call('usage', [])).rejects.toThrow('its process ended (SIGABRT)')
        await worker.close()
      }
    })

    it('refuses a network that is too large', async () => {
      const widths = [784, 65536, 65536, 65536, 4]
      await expect(engine.createTrainer({ ...smallSpec, widths }, images(1))).rejects.toThrow(
        /a network of \d+ parameters is too large for this engine/,
      )
    })
  })

  it('cuda without a card fails and writes nothing', async () => {
    const out = scratch('cuda')
    const { code, stderr, stdout } = await eigenae([...trainArgs('eigen.json', out), '--device', 'cuda'])
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/eigenae setup tensorflow|eigenae doctor|driver/)
    expect(existsSync(out)).toBe(false)
  })

  it('cuda is refused if TensorFlow finds no card, and a graph for a card never runs on the processor', async () => {
    const installation = findInstallation('cpu')
    await expect(openProcess(installation, { ...cpu, device: 'cuda' })).rejects.toThrow(
      'detects no usable graphics card',
    )
    const worker = await openProcess(installation, cpu)
    try {
      const { seed, ...rest } = smallSpec
      const created = worker.call('create', [{ ...rest, seeds: [seed] }, images(32), 'gpu'])
      await expect(created).rejects.toThrow(/Cannot assign a device/)
    } finally {
      await worker.close()
    }
  })

  it('the check of training steps passes', async () => {
    await checkTrainingStep(tensorflowEngine('tensorflow-cpu'))
  })

  it('20,000 steps leak neither tensors nor memory nor files', { timeout: 240_000 }, async () => {
    const temporary = scratch('temporary')
    mkdirSync(temporary)
    vi.stubEnv('TMPDIR', temporary) // other test files write graphs into the machine's own folder
    const worker = await openProcess(findInstallation('cpu'), { ...cpu, threads: 2 })
    try {
      const { seed, ...rest } = smallSpec
      const spec = {
        ...rest,
        seeds: [seed],
        widths: [784, 16, 5],
        batchNorm: 'all' as const,
      }
      await worker.call('create', [spec, images(1000 * 8), 'cpu'])
      const train = async (epochs: number, from: number) => {
        for (let epoch = from; epoch < from + epochs; epoch++) await worker.call('trainEpoch', [epoch])
        return worker.call('usage', [])
      }
      const before = await train(12, 1)
      const after = await train(80, 13)
      expect(after.tensors).toBe(before.tensors)
      expect(after.models).toBe(before.models)
      expect(after.residentBytes - before.residentBytes).toBeLessThan(32 * 2 ** 20)
      expect(readdirSync(temporary)).toEqual([])
    } finally {
      vi.unstubAllEnvs()
      await worker.close()
    }
  })
})
