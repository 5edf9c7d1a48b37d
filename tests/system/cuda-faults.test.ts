import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { findNvrtc } from '../../src/setup/nvrtc.js'
import { eigenae, scratchFolder } from '../support/cli.js'
import { describeWithCuda } from '../support/cuda-engine.js'
import { expectSameRuns, readJson, tinyConfigs } from '../support/sweeps.js'
import { buildAddonWithoutCard, fakeInstallation, writeProgram } from '../support/tensorflow.js'

const scratch = scratchFolder()
tinyConfigs(scratch('configs'), 8)

describeWithCuda('a fault of the card', ({ environment }) => {
  const noTensorflow = { EIGENAE_TENSORFLOW_DIR: scratch('no-tensorflow') }

  /** @param faults settings of the stand-in for libcuda */
  const train = (out: string, faults: string, ...flags: readonly string[]) =>
    trainWith({}, out, faults, ...flags)

  function trainWith(
    limit: Readonly<Record<string, string>>,
    out: string,
    faults: string,
    ...flags: readonly string[]
  ) {
    const env = { ...environment, ...noTensorflow, ...limit, EIGENAE_STAND_IN: faults }
    const config = scratch('configs', 'eigen.json')
    return eigenae(['train', '--config', config, '--out', scratch(out), '--device', 'cuda', ...flags], {
      env,
    })
  }

  beforeAll(async () => {
    expect((await train('whole', '')).stderr).toContain('trained 8 epochs')
  })

  it.each<[string, string, RegExp, RegExp]>([
    [
      'an old driver',
      'driver=11080',
      /driver is too old for the CUDA core\n {2}.*CUDA 11\.8/,
      /driver 525 or newer/,
    ],
    ['no card', 'devices=0', /no card was found/, /nvidia-smi/],
    [
      'an old card',
      'capability=6.1',
      /compute capability 6\.1, and the CUDA core needs 7\.0/,
      /setup tensorflow/,
    ],
    [
      'little shared memory',
      'shared=16384',
      /needs more than the card's 16 KB of shared memory/,
      /setup tensorflow/,
    ],
    [
      'few multiprocessors',
      'multiprocessors=1',
      /does not train a network that needs 13 multiprocessors, on a card that has 1; and TensorFlow is not set up$/m,
      /^Run: eigenae setup tensorflow --cuda$/m,
    ],
    ['a driver that does not start', 'fail=cuInit:1:803', /different versions/, /reboot/],
    [
      'a kernel that does not load',
      'fail=cuModuleLoadDataEx:1:218',
      /the driver cannot load the kernel; and TensorFlow is not set up$/m,
      /^Install a newer driver, .*\nor: Run: eigenae setup tensorflow --cuda$/m,
    ],
    [
      'little memory',
      'fail=cuMemAlloc_v2:3:2',
      /not enough memory on the card\n {2}cannot allocate/,
      /nvidia-smi/,
    ],
    [
      'a launch that is too large',
      'fail=cuLaunchCooperativeKernel:1:720',
      /cannot hold all blocks of a launch at once; and TensorFlow is not set up$/m,
      /nvidia-smi.*\nor: Run: eigenae setup tensorflow --cuda$/m,
    ],
  ])('is reported before a run is begun: %s', async (name, faults, problem, hint) => {
    const { code, stderr } = await train(name, faults)
    expect(stderr).toMatch(/^eigenae: device cuda: /)
    expect(stderr).toMatch(problem)
    expect(stderr).toMatch(hint)
    expect(code).toBe(1)
    expect(existsSync(scratch(name))).toBe(false)
  })

  it.each([
    ['the network', 'multiprocessors=1', 'a network that needs 13 multiprocessors'],
    ['the kernel', 'fail=cuModuleLoadDataEx:1:222', 'the driver cannot load the kernel'],
    ['its thread blocks', 'resident=0', 'the card cannot hold all blocks of a launch at once'],
  ])(
    'that refuses %s leaves it to TensorFlow, whose messages follow if it finds no card',
    async (_, card, reason) => {
      const addon = scratch('no-card.node')
      buildAddonWithoutCard(addon)
      fakeInstallation(scratch('tensorflow'), addon, 'cuda')
      const { stderr } = await trainWith({ EIGENAE_TENSORFLOW_DIR: scratch('tensorflow') }, 'left', card)
      expect(stderr).toContain(reason)
      expect(stderr).toContain('; and TensorFlow detects no usable graphics card')
      expect(stderr).toMatch(/^ {2}Cannot dlopen some GPU libraries$/m)
      expect(existsSync(scratch('left'))).toBe(false)
    },
  )

  it('with too few multiprocessors is refused by doctor with the same reason', async () => {
    const t4 = 'capability=7.5,shared=65536,multiprocessors=40'
    const env = { ...environment, ...noTensorflow, EIGENAE_STAND_IN: t4 }
    const { stdout } = await eigenae(['doctor'], { env })
    expect(stdout).toMatch(
      /^cuda +no +the CUDA core does not train a network that needs 52 multiprocessors, on a card that has 40; and TensorFlow is not set up$/m,
    )
  })

  it('does not include a part of a card (MIG), whose UUID nvidia-smi does not print', async () => {
    mkdirSync(scratch('mig'))
    const card = '0, GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77, NVIDIA A100, 8.0, 40960, 40000, 550.54.15'
    writeProgram(scratch('mig', 'nvidia-smi'), `echo "${card}"`)
    const { code, stderr } = await trainWith({ PATH: `${scratch('mig')}:${process.env.PATH}` }, 'mig-run', '')
    expect(stderr).toContain('trained 8 epochs')
    expect(code).toBe(0)
  })

  it.each([
    ['CUDA_MPS_ACTIVE_THREAD_PERCENTAGE', '10', 'Run: unset CUDA_MPS_ACTIVE_THREAD_PERCENTAGE\n'],
    ['CUDA_VISIBLE_DEVICES', 'MIG-5d5ba0d6', 'Use the whole card instead of a part of it (MIG).\n'],
    ['NVIDIA_VISIBLE_DEVICES', 'MIG-5d5ba0d6', 'Use the whole card instead of a part of it (MIG).\n'],
  ])('of which this process has only a part is reported if %s says so', async (variable, value, hint) => {
    const { code, stderr } = await trainWith({ [variable]: value }, 'part', 'multiprocessors=1')
    expect(stderr).toContain(hint)
    expect(code).toBe(1)
  })

  it('that trains wrongly is noticed before a run is begun', async () => {
    const folder = { EIGENAE_CUDA_DIR: scratch('kernels'), EIGENAE_NVRTC: findNvrtc().library }
    expect((await trainWith(folder, 'right', '', '--epochs', '1')).code).toBe(0)
    const [name] = readdirSync(scratch('kernels', 'kernels'))
    const kernel = scratch('kernels', 'kernels', name!)
    // The constant 1, of the sigmoid for example, becomes 0.5.
    writeFileSync(kernel, readFileSync(kernel, 'utf8').replaceAll('0f3F800000', '0f3F000000'))
    const { code, stderr } = await trainWith(folder, 'wrong', '')
    expect(stderr).toMatch(
      /^eigenae: device cuda: training gives wrong numbers: step 1 of the check has a loss/,
    )
    expect(stderr).toContain('Do not train on it.')
    expect(code).toBe(1)
    expect(existsSync(scratch('wrong'))).toBe(false)
  })

  // The check of the kernel takes 3 launches, and an epoch of 4 steps takes 1 to 4: so launch 9 is in a later epoch.
  it.each<[string, string, RegExp]>([
    ['an illegal address', 'fail=cuLaunchCooperativeKernel:9:700', /this process has lost the card\n/],
    ['a kernel that traps', 'fail=cuLaunchCooperativeKernel:9:719', /this process has lost the card\n/],
    ['a hang', 'hang=9', /the card hangs\n {2}the card has not finished within 5\.0 s\n/],
    ['a full memory', 'fail=cuLaunchCooperativeKernel:9:2', /not enough memory on the card\n/],
  ])('during a run ends it with its checkpoint whole: %s', async (name, faults, problem) => {
    // Only a hang needs a limit that is shorter than usual.
    const limit: Record<string, string> = faults.startsWith('hang')
      ? { EIGENAE_CUDA_LAUNCH_LIMIT: '5000' }
      : {}
    const { code, stderr } = await trainWith(limit, name, faults)
    expect(stderr).toMatch(problem)
    expect(code).toBe(1)
    expect(readJson(join(scratch(name), 'run.json')).status).toBe('failed')
    const resumed = await train(name, '', '--resume')
    expect(resumed.stderr).toMatch(/resuming after epoch [1-7]/)
    expect(resumed.code).toBe(0)
    await expectSameRuns([''], scratch(name), scratch('whole'))
  })
})
