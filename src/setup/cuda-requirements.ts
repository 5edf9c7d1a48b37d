import { existsSync } from 'node:fs'
import { EigenaeError } from '../errors.js'
import { compareVersions, findInstallation } from './installation.js'
import {
  cudaLibraryRefusal,
  cudaLibraryVariable,
  driverCudaVersion,
  type Gpu,
  type NvidiaReport,
  queryNvidiaSmi,
  visibleGpus,
} from './nvidia.js'

/**
 * The requirements of TensorFlow's GPU wheels from 2.18 to 2.21. They are built with CUDA 12.5 for compute capabilities 6.0
 * to 8.9 (build_info.py in the wheel). Any driver of CUDA 12 runs that (525.60.13, NVIDIA's minor version compatibility).
 * Newer cards run from PTX code, which only a driver of CUDA 12.5 or newer compiles.
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
const driverHint = [
  'With an NVIDIA card, install its driver and restart:',
  ...driverCommands,
  'In a container: docker run --gpus all',
].join('\n')
const newerDriverHint = ['Install a newer driver and restart:', ...driverCommands].join('\n')

/** Files of NVIDIA's driver: on Linux, and on Linux within Windows. */
const driverFiles = ['/dev/nvidiactl', '/dev/dxg']

/** A cheap check of whether the device cuda may work: there is a driver. The CUDA core needs nothing else. */
export function cudaMayWork(): boolean {
  return Boolean(process.env[cudaLibraryVariable]) || driverFiles.some((file) => existsSync(file))
}

/**
 * Returns the card to train on: of the suitable cards, the one with the most free memory, the first of equals. Null for
 * TensorFlow's own choice: if there is no nvidia-smi to list the cards, or CUDA_VISIBLE_DEVICES names parts of cards (MIG).
 * @throws EigenaeError with the missing requirement and how to fix it.
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
 * Returns the GPUs that this process may use; null if there is a driver but no nvidia-smi to list them.
 * @throws EigenaeError if the driver cannot be used.
 */
export async function requireDriver(): Promise<readonly Gpu[] | null> {
  const [refusal, report] = await Promise.all([cudaLibraryRefusal(), queryNvidiaSmi()])
  if (refusal === 'not found') throw noLibrary(report)
  if (refusal !== null)
    throw unusable(`the NVIDIA driver's library cannot be loaded (${refusal.reason})`, driverHint)
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
  if (driver === undefined) return unusable('no NVIDIA driver (libcuda.so.1 was not found)', driverHint)
  return unusable(
    `the NVIDIA driver ${driver} is installed without its CUDA library (libcuda.so.1 was not found)`,
    [
      `Install it. Ubuntu: sudo apt-get install libnvidia-compute-${driver.split('.')[0]}; Debian: sudo apt-get install libcuda1`,
      'In a container: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility',
    ].join('\n'),
  )
}

function requireVisible(gpus: readonly Gpu[]): readonly Gpu[] {
  const visible = process.env.CUDA_VISIBLE_DEVICES
  const left = visibleGpus(gpus, visible)
  if (left.length > 0) return left
  if (gpus.length === 0)
    throw unusable(
      'the NVIDIA driver reports no GPU',
      "Look at the driver's messages: sudo dmesg | grep -i nvrm",
    )
  throw unusable(
    `CUDA_VISIBLE_DEVICES="${visible}" hides every GPU`,
    `Run: unset CUDA_VISIBLE_DEVICES, or name one: export CUDA_VISIBLE_DEVICES=${gpus[0]!.index}`,
  )
}

/**
 * Returns the GPUs that TensorFlow can use.
 * @param cuda the newest CUDA that the driver supports; NVIDIA's package cuda-compat raises it above the driver's own
 * @throws EigenaeError if the driver, or every card, is too old for TensorFlow.
 */
export function requireFittingGpu(gpus: readonly Gpu[], cuda: string | null): readonly Gpu[] {
  const fitting = gpus.filter(({ capability }) => !(capability < cudaNeeds.capability))
  const [first] = fitting
  if (first === undefined)
    throw unusable(
      `${gpus[0]!.name} is too old: compute capability ${gpus[0]!.capability.toFixed(1)}, and TensorFlow is built for ${cudaNeeds.capability.toFixed(1)} and newer`,
      'Train on the processor: --device cpu',
    )
  const usable = fitting.filter((gpu) => hasDriver(gpu, cuda))
  if (usable.length > 0) return usable
  throw unusable(
    `the NVIDIA driver ${first.driver} is too old: TensorFlow needs ${needsOf(first).driver} or newer on ${first.name}`,
    newerDriverHint,
  )
}

function needsOf({ capability }: Gpu) {
  return capability >= cudaNeeds.ptx.capability ? cudaNeeds.ptx : cudaNeeds.native
}

function hasDriver(gpu: Gpu, cuda: string | null): boolean {
  const needs = needsOf(gpu)
  return (
    compareVersions(gpu.driver, needs.driver) >= 0 ||
    (cuda !== null && compareVersions(cuda, needs.cuda) >= 0)
  )
}

function requireMemory(gpus: readonly Gpu[]): Gpu {
  // Memory that the driver does not report is NaN, and may be enough.
  const candidates = gpus.filter(({ freeMiB }) => !(freeMiB < cudaNeeds.freeMiB))
  if (candidates.length > 0)
    return candidates.reduce((best, gpu) => (gpu.freeMiB > best.freeMiB ? gpu : best))
  const { index, name, freeMiB, totalMiB } = gpus[0]!
  throw unusable(
    `out of GPU memory: ${freeMiB} of ${totalMiB} MiB are free on GPU ${index} (${name})`,
    'Stop the processes that "nvidia-smi" lists, or wait for their end.',
  )
}

function unusable(problem: string, hint: string): EigenaeError {
  return new EigenaeError({ problem, subject: 'device cuda', hint })
}
