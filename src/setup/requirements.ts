import { EigenaeError } from '../errors.js'
import { findInstallation } from './installation.js'
import {
  askNvidiaSmi,
  cudaLibraryRefusal,
  driverCudaVersion,
  type Gpu,
  type NvidiaReport,
  visibleGpus,
} from './nvidia.js'

/**
 * What TensorFlow's GPU wheels from 2.18 to 2.21 need: they are built by CUDA 12.5 for compute capabilities 6.0 to 8.9
 * (build_info.py in the wheel). Any driver of CUDA 12 runs that (525.60.13, NVIDIA's minor version compatibility).
 * Newer cards run from PTX code, which only a driver as new as CUDA 12.5 compiles.
 */
export const cudaNeeds = {
  capability: 6,
  native: { cuda: '12.0', driver: '525.60.13' },
  ptx: { capability: 9, cuda: '12.5', driver: '555.42.02' },
  freeMiB: 1024,
} as const

const driverCommands = [
  '  Ubuntu: sudo ubuntu-drivers install --gpgpu',
  '  Debian: sudo apt-get install nvidia-driver',
]
const driverMend = [
  'With an NVIDIA card, install its driver and restart:',
  ...driverCommands,
  'In a container: docker run --gpus all',
].join('\n')
const newerDriverMend = ['Install a newer driver and restart:', ...driverCommands].join('\n')

/**
 * The card that TensorFlow is to train on: of those that fit, the first of which most memory is free. Null where
 * nvidia-smi, which tells of them, is not there, or CUDA_VISIBLE_DEVICES names parts of cards (MIG): TensorFlow's first.
 * @throws EigenaeError that says what this machine lacks for it, and the command that mends it.
 */
export async function requireCard(): Promise<Gpu | null> {
  const gpus = await requireDriver()
  const fitting = gpus === null ? null : requireFittingGpu(gpus, await driverCudaVersion())
  findInstallation('cuda')
  if (fitting === null) return null
  const free = requireMemory(fitting)
  return process.env.CUDA_VISIBLE_DEVICES?.includes('MIG-') ? null : free
}

/**
 * The GPUs that this process may use; null where the driver is there but nvidia-smi, which tells of them, is not.
 * @throws EigenaeError where no driver of this machine can be used.
 */
export async function requireDriver(): Promise<readonly Gpu[] | null> {
  const [refusal, report] = await Promise.all([cudaLibraryRefusal(), askNvidiaSmi()])
  if (refusal === 'not found') throw noLibrary(report)
  if (refusal !== null)
    throw unusable(`the NVIDIA driver's library cannot be loaded (${refusal.reason})`, driverMend)
  if (report.kind === 'absent') return null
  if (report.kind === 'refused')
    throw unusable(
      `the NVIDIA driver does not answer (nvidia-smi: ${report.reason})`,
      'Restart the machine, as after every update of the driver: sudo reboot',
    )
  return requireVisible(report.gpus)
}

function noLibrary(report: NvidiaReport): EigenaeError {
  const driver = report.kind === 'gpus' ? report.gpus[0]?.driver : undefined
  if (driver === undefined) return unusable('no NVIDIA driver (libcuda.so.1 was not found)', driverMend)
  return unusable(
    `the NVIDIA driver ${driver} is here without its CUDA library (libcuda.so.1 was not found)`,
    [
      `Ubuntu: sudo apt-get install libnvidia-compute-${driver.split('.')[0]}; Debian: sudo apt-get install libcuda1`,
      'In a container: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility',
    ].join('\n'),
  )
}

function requireVisible(gpus: readonly Gpu[]): readonly Gpu[] {
  const visible = process.env.CUDA_VISIBLE_DEVICES
  const left = visibleGpus(gpus, visible)
  if (left.length > 0) return left
  if (gpus.length === 0)
    throw unusable('the NVIDIA driver finds no GPU', 'Look at: sudo dmesg | grep -i nvrm')
  throw unusable(
    `CUDA_VISIBLE_DEVICES="${visible}" hides every GPU`,
    `Run: unset CUDA_VISIBLE_DEVICES, or name one: export CUDA_VISIBLE_DEVICES=${gpus[0]!.index}`,
  )
}

/**
 * `cuda` is the newest that the driver serves: NVIDIA's compatibility package (cuda-compat) makes that newer than the
 * driver is.
 * @throws EigenaeError where the driver is too old for TensorFlow, or every card is.
 */
export function requireFittingGpu(gpus: readonly Gpu[], cuda: string | null): readonly Gpu[] {
  const fitting = gpus.filter(({ capability }) => !(capability < cudaNeeds.capability))
  const [first] = fitting
  if (first === undefined)
    throw unusable(
      `${gpus[0]!.name} is too old: compute capability ${gpus[0]!.capability.toFixed(1)}, and TensorFlow is built for ${cudaNeeds.capability.toFixed(1)} and newer`,
      'Train on the processor: --device cpu',
    )
  const served = fitting.filter((gpu) => isServed(gpu, cuda))
  if (served.length > 0) return served
  throw unusable(
    `the NVIDIA driver ${first.driver} is too old: TensorFlow needs ${needsOf(first).driver} or newer on ${first.name}`,
    newerDriverMend,
  )
}

function needsOf({ capability }: Gpu) {
  return capability >= cudaNeeds.ptx.capability ? cudaNeeds.ptx : cudaNeeds.native
}

function isServed(gpu: Gpu, cuda: string | null): boolean {
  const needs = needsOf(gpu)
  return (
    compareVersions(gpu.driver, needs.driver) >= 0 ||
    (cuda !== null && compareVersions(cuda, needs.cuda) >= 0)
  )
}

function requireMemory(gpus: readonly Gpu[]): Gpu {
  // What is not a number is not known, and may be enough.
  const roomy = gpus.filter(({ freeMiB }) => !(freeMiB < cudaNeeds.freeMiB))
  if (roomy.length > 0) return roomy.reduce((best, gpu) => (gpu.freeMiB > best.freeMiB ? gpu : best))
  const { index, name, freeMiB, totalMiB } = gpus[0]!
  throw unusable(
    `out of GPU memory: ${freeMiB} of ${totalMiB} MiB are free on GPU ${index} (${name})`,
    'Stop the processes that "nvidia-smi" lists, or wait for them.',
  )
}

/** Negative where version `a` is older than `b`, as "525.60.13" is than "550.54". */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

function unusable(what: string, hint: string): EigenaeError {
  return new EigenaeError({ problem: what, subject: 'device cuda', hint })
}
