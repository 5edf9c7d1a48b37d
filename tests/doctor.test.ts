import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { Device } from '../src/config/schema.js'
import { selectEngine } from '../src/engines/select.js'
import { EigenaeError } from '../src/errors.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { copyProject } from './support/project.js'
import {
  buildAddonWithoutCard,
  buildLibrary,
  type FakeInstallation,
  fakeInstallation,
  writeProgram,
} from './support/tensorflow.js'

const scratch = scratchFolder()
const library = scratch('libstub.so')
buildLibrary(library, 'extern "C" int cuInit(unsigned) { return 0; }')
const realDriver = spawnSync(process.execPath, ['-e', "process.dlopen({ exports: {} }, 'libcuda.so.1')"], {
  encoding: 'utf8',
}).stderr.includes('self-register')

interface Machine {
  /** nvidia-smi's output: GPUs as `name, capability, total, free, driver`, or a shell script; absent without nvidia-smi. */
  readonly smi?: readonly string[] | string
  readonly libcuda?: 'sound' | 'truncated'
  readonly setup?: (root: string) => void
  readonly environment?: Readonly<Record<string, string>>
}

/** Builds a machine of stubs. Returns the environment that shows it to a process. */
function environmentOf({ smi, libcuda, setup, environment }: Machine): Record<string, string> {
  const machine = mkdtempSync(scratch('machine-'))
  const root = join(machine, 'tensorflow')
  if (smi !== undefined) writeProgram(join(machine, 'nvidia-smi'), smiScript(smi))
  if (libcuda !== undefined) cpSync(library, join(machine, 'libcuda.so.1'))
  if (libcuda === 'truncated') truncateSync(join(machine, 'libcuda.so.1'), 40)
  setup?.(root)
  return {
    PATH: `${machine}:/nowhere`,
    LD_LIBRARY_PATH: machine,
    CUDA_VISIBLE_DEVICES: '0',
    // The CUDA core needs a driver with functions: tests/system/cuda-*.test.ts.
    EIGENAE_CUDA: 'tensorflow',
    EIGENAE_TENSORFLOW_DIR: root,
    ...environment,
  }
}

function doctorOn(machine: Machine, ...flags: readonly string[]) {
  return eigenae(['doctor', ...flags], { env: environmentOf(machine) })
}

function smiScript(smi: readonly string[] | string): string {
  if (typeof smi === 'string') return smi
  return smi.map((gpu, index) => `echo "${index}, GPU-0${index}, ${gpu}"`).join('\n')
}

/** Returns why a device of such a machine is refused. */
async function refusal(device: Device, machine: Machine) {
  for (const [name, value] of Object.entries(environmentOf(machine))) vi.stubEnv(name, value)
  try {
    await selectEngine(device)
  } catch (error) {
    if (error instanceof EigenaeError)
      return { reason: error.parts.problem, hint: error.parts.hint, message: error.message }
    throw error
  } finally {
    vi.unstubAllEnvs()
  }
  throw new Error(`${device} is not refused`)
}

const root = join(import.meta.dirname, '..')
const platform = `${process.platform}-${process.arch}`

/** Copies the command line and the given parts of the project. */
function projectWith(name: string, ...parts: readonly string[]): string {
  const project = scratch(name)
  copyProject(project, ...parts)
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
  return project
}

function doctorIn(project: string) {
  const env = { PATH: '/nowhere', EIGENAE_TENSORFLOW_DIR: scratch('none') }
  const doctor = ['bin/eigenae.js', 'doctor']
  return spawnSync(process.execPath, doctor, { cwd: project, env, encoding: 'utf8' })
}

const a100 = 'NVIDIA A100, 8.0, 40960, 40000, 550.54.15'
const installed = (kind: 'cpu' | 'cuda', change: (installation: FakeInstallation) => void = () => {}) =>
  ({ setup: (root: string) => change(fakeInstallation(root, library, kind)) }) as const

describe('doctor', () => {
  it('lists what trains on this machine, and how to fix the other devices', async () => {
    const { code, stdout, stderr } = await doctorOn({})
    expect(stdout).toMatch(
      /^eigenae \S+ · Node \S+ · \S+ \S+ · \d+ cores? · C\+\+ core with \S+, built here\n/,
    )
    expect(stdout).toMatch(/^cpu +usable +native \S+$/m)
    expect(stdout).toMatch(/^tensorflow-cpu +no +TensorFlow is not set up$/m)
    expect(stdout).toMatch(/^To use tensorflow-cpu:\n {2}Run: eigenae setup tensorflow --cpu$/m)
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })

  it('prints the same as JSON', async () => {
    const { stdout } = await doctorOn({}, '--json')
    const { node, cores, devices } = JSON.parse(stdout)
    expect(node).toEqual({ version: process.versions.node, needed: '>=20', supported: true })
    expect(cores).toBeGreaterThan(0)
    expect(devices[0]).toMatchObject({ device: 'cpu', usable: true, engine: 'native', origin: 'built here' })
    expect(devices.map(({ device }: { readonly device: string }) => device)).toEqual([
      'cpu',
      'wasm',
      'cuda',
      'tensorflow-cpu',
    ])
  })

  it('prints which addon was loaded, and why those before it were not', () => {
    const project = projectWith('prebuilt', 'native/build/eigenae.node', 'native/wasm')
    const prebuilt = join(project, 'prebuilds', platform)
    mkdirSync(prebuilt, { recursive: true })
    writeFileSync(join(prebuilt, 'eigenae.node'), 'no addon')
    expect(doctorIn(project).stdout).toMatch(/, built here\n {2}prebuilt for \S+: .*eigenae\.node: .+\n/)
    cpSync(join(root, 'native/build/eigenae.node'), join(prebuilt, 'eigenae.node'))
    expect(doctorIn(project).stdout).toMatch(/, prebuilt for \S+-\S+\n\n/)
  })

  it('exits with 1 if nothing can train', () => {
    const { status, stdout, stderr } = doctorIn(projectWith('nothing'))
    expect(stdout).toMatch(/^cpu +no +the native engine was not built here$/m)
    expect(stdout).toMatch(/^wasm +no /m)
    expect(stderr).toBe('eigenae: no device of this machine can train as it is\n')
    expect(status).toBe(1)
  })

  it('exits with 1 if Node is too old', async () => {
    const old = scratch('old-node.cjs')
    writeFileSync(old, "Object.defineProperty(process.versions, 'node', { value: '18.19.0' })")
    const { code, stdout } = await doctorOn({ environment: { NODE_OPTIONS: `--require ${old}` } })
    expect(stdout).toMatch(/Node is too old:\n {2}It must be >=20/)
    expect(code).toBe(1)
  })
})

describe('cuda on a machine', () => {
  it.skipIf(realDriver)(
    'distinguishes a machine without a driver from one without its CUDA library',
    async () => {
      const without = await refusal('cuda', {})
      expect(without.reason).toBe('no NVIDIA driver (libcuda.so.1 was not found)')
      expect(without.hint).toContain('ubuntu-drivers install')
      const half = await refusal('cuda', { smi: [a100] })
      expect(half.reason).toContain('550.54.15 is installed without its CUDA library')
      expect(half.hint).toContain('apt-get install libnvidia-compute-550')
    },
  )

  it.each<[string, Machine, RegExp, RegExp]>([
    [
      'a damaged driver',
      { libcuda: 'truncated' },
      /library cannot be loaded \(.*too short/,
      /ubuntu-drivers/,
    ],
    [
      'a driver that was updated while it was loaded',
      {
        libcuda: 'sound',
        smi: 'echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18',
      },
      /does not answer \(nvidia-smi: .*version mismatch\)/,
      /sudo reboot/,
    ],
    ['no card', { libcuda: 'sound', smi: [] }, /reports no GPU/, /dmesg/],
    [
      'hidden cards',
      { libcuda: 'sound', smi: [a100], environment: { CUDA_VISIBLE_DEVICES: '' } },
      /CUDA_VISIBLE_DEVICES="" hides every GPU/,
      /unset CUDA_VISIBLE_DEVICES/,
    ],
    [
      'a driver too old for TensorFlow',
      { libcuda: 'sound', smi: ['Tesla T4, 7.5, 15360, 15000, 470.256.02'] },
      /driver 470.256.02 is too old: TensorFlow needs 525.60.13 or newer/,
      /ubuntu-drivers/,
    ],
    [
      'a driver too old for a new card, which runs from PTX',
      { libcuda: 'sound', smi: ['NVIDIA H100, 9.0, 81559, 81000, 550.54.15'] },
      /550.54.15 is too old: TensorFlow needs 555.42.02 or newer on NVIDIA H100/,
      /ubuntu-drivers/,
    ],
    [
      'a driver that does not report compute capabilities',
      {
        libcuda: 'sound',
        smi: `case "$*" in
*compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;;
*) echo "0, GPU-00, Tesla T4, Tesla T4, 15360, 15000, 470.256.02" ;;
esac`,
      },
      /driver 470.256.02 is too old: TensorFlow needs 525.60.13 or newer/,
      /ubuntu-drivers/,
    ],
    [
      'a card too old for TensorFlow',
      { libcuda: 'sound', smi: ['GeForce GTX 960, 5.2, 4096, 4000, 550.54.15'] },
      /GTX 960 is too old: compute capability 5.2/,
      /--device cpu/,
    ],
    [
      'TensorFlow not set up',
      { libcuda: 'sound', smi: [a100] },
      /^TensorFlow is not set up$/,
      /setup tensorflow --cuda/,
    ],
    [
      'TensorFlow set up without CUDA',
      { libcuda: 'sound', smi: [a100], ...installed('cpu') },
      /^TensorFlow is not set up$/,
      /setup tensorflow --cuda/,
    ],
    [
      'a full card',
      { libcuda: 'sound', smi: ['NVIDIA A100, 8.0, 40960, 120, 550.54.15'], ...installed('cuda') },
      /out of GPU memory: 120 of 40960 MiB are free on GPU 0 \(NVIDIA A100\)/,
      /nvidia-smi/,
    ],
  ])('is refused for %s', async (_, machine, reason, hint) => {
    const cuda = await refusal('cuda', machine)
    expect(cuda.reason).toMatch(reason)
    expect(cuda.hint).toMatch(hint)
  })
})

describe('cuda if TensorFlow finds no card', () => {
  it("is refused with TensorFlow's messages; TensorFlow sees CUDA's libraries and one card", async () => {
    const addon = scratch('no-card.node')
    buildAddonWithoutCard(addon)
    const setup = (folder: string) => {
      const { tensorflow } = fakeInstallation(folder, addon, 'cuda')
      const cusolver = join(tensorflow, '..', 'nvidia', 'cusolver', 'lib')
      mkdirSync(cusolver, { recursive: true })
      writeFileSync(join(cusolver, 'libcusolver.so.11'), '')
    }
    const cards = ['NVIDIA A100, 8.0, 40960, 200, 550.54.15', a100]
    const { message } = await refusal('cuda', {
      ...{ libcuda: 'sound', smi: cards, setup, environment: { CUDA_VISIBLE_DEVICES: '0,1' } },
    })
    expect(message).toMatch(/^ {2}Cannot dlopen some GPU libraries$/m)
    expect(message).toMatch(/^ {2}libraries: \S+\/nvidia\/cusolver\/lib:\S+, cards: GPU-01$/m)
  })
})

describe('an installation of TensorFlow', () => {
  it.each<[string, (installation: FakeInstallation) => void, RegExp]>([
    [
      'its wheel was removed',
      ({ tensorflow }) => rmSync(tensorflow, { recursive: true }),
      /its wheel is gone/,
    ],
    [
      'its wheel was replaced',
      ({ tensorflow }) => appendFileSync(join(tensorflow, 'libtensorflow_framework.so.2'), 'newer'),
      /its addon was built for another wheel/,
    ],
    ['its addon was removed', ({ addon }) => rmSync(addon), /its addon is gone/],
    ['its addon is truncated', ({ addon }) => truncateSync(addon, 100), /its addon is damaged/],
    [
      'its record is damaged',
      ({ root }) => writeFileSync(join(root, '2.21.0-cuda', 'installation.json'), '{'),
      /installation.json cannot be read/,
    ],
  ])('is refused when %s', async (_, change, reason) => {
    const machine = { libcuda: 'sound', smi: [a100], ...installed('cuda', change) } as const
    for (const name of ['cuda', 'tensorflow-cpu'] as const) {
      const { reason: found, hint } = await refusal(name, machine)
      expect(found).toMatch(reason)
      expect(hint).toBe('Run: eigenae setup tensorflow --cuda --version 2.21.0')
    }
  })
})
