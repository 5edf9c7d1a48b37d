import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { eigenae, scratchFolder } from '../support/cli.js'
import { describeWithCuda } from '../support/cuda-engine.js'
import { endedAt } from '../support/hold.js'
import { expectSameRuns, readJson, tinyConfigs } from '../support/sweeps.js'

const root = join(import.meta.dirname, '../..')
const scratch = scratchFolder()
tinyConfigs(scratch('configs'), 4)

describeWithCuda('runs by the CUDA core', ({ environment }) => {
  const noTensorflow = { EIGENAE_TENSORFLOW_DIR: scratch('no-tensorflow') }
  const env = { ...environment, ...noTensorflow }

  function trainArgs(out: string, ...flags: readonly string[]): readonly string[] {
    const config = scratch('configs', 'eigen.json')
    return ['train', '--config', config, '--out', scratch(out), '--device', 'cuda', ...flags]
  }

  const train = (out: string, flags: readonly string[] = [], more: Readonly<Record<string, string>> = {}) =>
    eigenae(trainArgs(out, ...flags), { env: { ...env, ...more } })

  it('are recorded with their engine, and resumed after a kill and after Ctrl-C with the same bytes', async () => {
    expect((await train('whole')).code).toBe(0)
    const { device, deviceReason, engine, status } = readJson(join(scratch('whole'), 'run.json'))
    expect({ device, deviceReason, status }).toEqual({
      device: 'cuda',
      deviceReason: 'asked for',
      status: 'completed',
    })
    expect(engine).toMatchObject({
      name: 'cuda-core',
      variant: expect.stringMatching(/^compute_70-[0-9a-f]{8}$/),
    })
    const reproduction = await eigenae(['reproduce', scratch('whole')], { env })
    expect(reproduction.stdout).toContain('EIGENAE_CUDA=core')
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      await endedAt(2, signal, trainArgs(signal), env)
      const { code, stderr } = await train(signal, ['--resume'])
      expect(stderr).toMatch(/resuming after epoch [123]/)
      expect(stderr).not.toContain('the last digits may differ')
      expect(code).toBe(0)
      await expectSameRuns([''], scratch(signal), scratch('whole'))
    }
  })

  it('are resumed with a note by a build of the same version with another kernel', async () => {
    const other = scratch('other-build')
    for (const part of [
      'bin',
      'dist',
      'native/build/eigenae.node',
      'native/cuda',
      'native/formulas',
      'native/kernels',
      'package.json',
    ])
      cpSync(join(root, part), join(other, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(other, 'node_modules'))
    appendFileSync(join(other, 'native/cuda/kernel/core.cu'), '// another kernel')
    expect((await train('built-twice', ['--epochs', '1'])).code).toBe(0)
    const args = [join(other, 'bin/eigenae.js'), ...trainArgs('built-twice', '--epochs', '2', '--resume')]
    const { stderr, status } = spawnSync(process.execPath, args, {
      ...{ cwd: root, env: { ...process.env, ...env }, encoding: 'utf8' },
    })
    const [, before, after] =
      /note: started with (.*), resumed with (.*): the last digits may differ/.exec(stderr) ?? []
    const compared = /^\d\S* cuda-core compute_70-[0-9a-f]{8}$/
    expect(before).toMatch(compared)
    expect(after).toMatch(compared)
    expect(after).not.toBe(before)
    expect(status).toBe(0)
  })

  it('are chosen by auto, and listed by doctor with the card', async () => {
    const auto = await train('auto', ['--device', 'auto', '--epochs', '1'])
    expect(auto.stderr).toContain('on cuda (auto: the first usable device), cuda-core compute_70')
    const { stdout } = await eigenae(['doctor'], { env })
    expect(stdout).toMatch(/^cuda +usable +cuda-core compute_70-\w+; .* blocks a model; the kernel /m)
  })

  it('are refused with the reason if neither the core nor TensorFlow can train the network', async () => {
    const large = ['--set', 'train.batchSize=300']
    const { code, stderr } = await train('large', large)
    expect(stderr).toMatch(
      /^eigenae: device cuda: the CUDA core does not train batches of more than 256 images; and TensorFlow is not set up\n.*setup tensorflow --cuda/,
    )
    expect(code).toBe(1)
    const forced = await train('large', large, { EIGENAE_CUDA: 'core' })
    expect(forced.stderr).toMatch(/does not train batches of more than 256 images\nUnset EIGENAE_CUDA/)
    const tensorflow = await train('large', [], { EIGENAE_CUDA: 'tensorflow' })
    expect(tensorflow.stderr).toContain('TensorFlow is not set up')
    const unknown = await train('large', [], { EIGENAE_CUDA: 'other' })
    expect(unknown.stderr).toMatch(/EIGENAE_CUDA: there is no engine "other" .*\nUse core or tensorflow/)
    expect(unknown.code).toBe(2)
  })

  it('name the command that installs the compiler, if their kernel must be compiled', async () => {
    const folder = scratch('no-nvrtc')
    const without = { EIGENAE_CUDA_DIR: folder, EIGENAE_NVRTC: '' }
    const { code, stderr } = await train('no-nvrtc-run', [], without)
    expect(stderr).toMatch(
      /its kernel must be compiled, and the compiler of kernels \(NVRTC\) is not set up; and/,
    )
    expect(stderr).toContain('Run: eigenae setup cuda\nor: Run: eigenae setup tensorflow --cuda')
    expect(code).toBe(1)
    rmSync(folder, { recursive: true, force: true })
  })
})
