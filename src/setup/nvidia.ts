import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { EigenaeError, firstLine, hasCode } from '../errors.js'
import { compareVersions, findInstallation } from './installation.js'

// NVIDIA's driver and cards: what this machine has, and what the device cuda needs of them.

export interface Gpu {
  readonly index: string
  readonly uuid: string
  readonly name: string
  /** CUDA's compute capability: 7.5, 9; NaN if the driver does not report it. */
  readonly capability: number
  readonly totalMiB: number
  readonly freeMiB: number
  /** The driver's version, the same for all GPUs: "550.54.15". */
  readonly driver: string
}

/** nvidia-smi's answer: the machine's GPUs, or why it cannot list them. `absent` if there is no nvidia-smi. */
type NvidiaReport =
  | { readonly kind: 'gpus'; readonly gpus: readonly Gpu[] }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'absent' }

const run = promisify(execFile)
const timeoutMilliseconds = 20_000

/** Returns the values of the fields for each GPU. @throws the error of the process, ENOENT if there is no nvidia-smi. */
export async function queryGpus(
  fields: readonly string[],
  options: { readonly timeout: number; readonly signal?: AbortSignal } = { timeout: timeoutMilliseconds },
): Promise<readonly (readonly string[])[]> {
  const args = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits']
  const { stdout } = await run('nvidia-smi', args, options)
  const rows = stdout.split('\n').map((line) => line.split(',').map((cell) => cell.trim()))
  return rows.filter(({ length }) => length >= fields.length)
}

const capabilityField = 'compute_cap'

/** @param capability the field of the compute capability */
export async function queryNvidiaSmi(capability = capabilityField): Promise<NvidiaReport> {
  try {
    const fields = ['index', 'uuid', 'name', capability, 'memory.total', 'memory.free', 'driver_version']
    return { kind: 'gpus', gpus: (await queryGpus(fields)).map(gpuOf) }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { kind: 'absent' }
    // nvidia-smi prints its errors to stdout.
    const { stdout, message } = error as Error & { readonly stdout?: string }
    const reason = firstLine(stdout?.trim() || message)
    // Drivers before 510 lack the field. The name in its place is not a number, so the capability becomes NaN.
    return reason.includes(`"${capabilityField}" is not a valid field`)
      ? queryNvidiaSmi('name')
      : { kind: 'refused', reason }
  }
}

function gpuOf([index, uuid, name, capability, total, free, driver]: readonly string[]): Gpu {
  return {
    index: index!,
    uuid: uuid!,
    name: name!,
    capability: Number(capability),
    totalMiB: Number(total),
    freeMiB: Number(free),
    driver: driver!,
  }
}

/** Returns the newest CUDA that the driver supports, "12.4", from the head of nvidia-smi's table; null if it is not there. */
export async function driverCudaVersion(): Promise<string | null> {
  const table = await run('nvidia-smi', { timeout: timeoutMilliseconds }).catch(() => null)
  return /CUDA (?:UMD )?Version\s*:\s*([\d.]+)/.exec(table?.stdout ?? '')?.[1] ?? null
}

/** Names another libcuda for the CUDA core: a stand-in that runs kernels on the processor. For tests. */
const cudaLibraryVariable = 'EIGENAE_LIBCUDA'

/** Returns the driver's library, for dlopen. */
export function cudaLibrary(): string {
  return process.env[cudaLibraryVariable] || 'libcuda.so.1'
}

/** Files of NVIDIA's driver: on Linux, and on Linux within Windows. */
const driverFiles = ['/dev/nvidiactl', '/dev/dxg']

/** A cheap check of whether the device cuda may work: there is a driver. The CUDA core needs nothing else. */
export function cudaMayWork(): boolean {
  return Boolean(process.env[cudaLibraryVariable]) || driverFiles.some((file) => existsSync(file))
}

/**
 * Loads the driver's library as the engines will. Returns why it cannot be loaded, or null. A process of its own loads it,
 * because a damaged library may crash the process.
 */
async function cudaLibraryRefusal(): Promise<'not found' | { readonly reason: string } | null> {
  const program = `process.dlopen({ exports: {} }, ${JSON.stringify(cudaLibrary())})`
  try {
    await run(process.execPath, ['-e', program], { timeout: timeoutMilliseconds })
    return null
  } catch (error) {
    const { stderr = '', signal } = error as Error & { readonly stderr?: string; readonly signal?: string }
    // The library was loaded, and rejected because it is not an addon for Node.
    if (stderr.includes('did not self-register')) return null
    if (/libcuda[^:]*: cannot open shared object file: No such file/.test(stderr)) return 'not found'
    const reason = /^Error: (.*)/m.exec(stderr)?.[1] ?? `loading it ended the process (${signal})`
    return { reason }
  }
}

/** Parses CUDA_VISIBLE_DEVICES. CUDA stops at the first invalid id: "-1" and an empty text hide every GPU. */
export function visibleIds(visible: string): readonly string[] {
  const ids = visible.split(',').map((id) => id.trim())
  const end = ids.findIndex((id) => id === '' || id.startsWith('-'))
  return end < 0 ? ids : ids.slice(0, end)
}

/** Returns whether CUDA, or the container runtime of NVIDIA, is given parts of GPUs (MIG), which nvidia-smi does not list. */
export function hasPartsOfGpus(): boolean {
  const { CUDA_VISIBLE_DEVICES, NVIDIA_VISIBLE_DEVICES } = process.env
  return [CUDA_VISIBLE_DEVICES, NVIDIA_VISIBLE_DEVICES].some((visible) => visible?.includes('MIG-'))
}

const driverCommands = [
  '  Ubuntu: sudo ubuntu-drivers install --gpgpu',
  '  Debian: sudo apt-get install nvidia-driver',
]
const driverHint = [
  'With an NVIDIA card, install its driver and restart:',
  ...driverCommands,
  'In a container: docker run --gpus all',
].join('\n')

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

/** Returns the GPUs that CUDA_VISIBLE_DEVICES leaves; all of them if it is not set or this process has parts of GPUs. */
function requireVisible(gpus: readonly Gpu[]): readonly Gpu[] {
  if (gpus.length === 0)
    throw unusable(
      'the NVIDIA driver reports no GPU',
      "Look at the driver's messages: sudo dmesg | grep -i nvrm",
    )
  const visible = process.env.CUDA_VISIBLE_DEVICES
  if (visible === undefined || hasPartsOfGpus()) return gpus
  const left = visibleIds(visible).flatMap((id) =>
    gpus.filter(({ index, uuid }) => index === id || (id.startsWith('GPU-') && uuid.startsWith(id))),
  )
  if (left.length > 0) return left
  throw unusable(
    `CUDA_VISIBLE_DEVICES="${visible}" hides every GPU`,
    `Run: unset CUDA_VISIBLE_DEVICES, or name one: export CUDA_VISIBLE_DEVICES=${gpus[0]!.index}`,
  )
}

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

/**
 * Returns the card on which TensorFlow trains: of the suitable ones, that with the most free memory, the first of equals.
 * Null for TensorFlow's own choice: if there is no nvidia-smi to list the cards, or this process has parts of cards.
 * @throws EigenaeError with the missing requirement and how to fix it.
 */
export async function requireCard(): Promise<Gpu | null> {
  const gpus = await requireDriver()
  const fitting = gpus === null ? null : requireFittingGpu(gpus, await driverCudaVersion())
  findInstallation('cuda')
  if (fitting === null) return null
  // Memory that the driver does not report is NaN, and may be enough.
  const free = freestGpu(fitting.filter(({ freeMiB }) => !(freeMiB < cudaNeeds.freeMiB)))
  if (free !== undefined) return hasPartsOfGpus() ? null : free
  const { index, name, freeMiB, totalMiB } = fitting[0]!
  throw unusable(
    `out of GPU memory: ${freeMiB} of ${totalMiB} MiB are free on GPU ${index} (${name})`,
    'Stop the processes that "nvidia-smi" lists, or wait for them to end.',
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
  const needsOf = ({ capability }: Gpu) =>
    capability >= cudaNeeds.ptx.capability ? cudaNeeds.ptx : cudaNeeds.native
  const usable = fitting.filter(
    (gpu) =>
      compareVersions(gpu.driver, needsOf(gpu).driver) >= 0 ||
      (cuda !== null && compareVersions(cuda, needsOf(gpu).cuda) >= 0),
  )
  if (usable.length > 0) return usable
  throw unusable(
    `the NVIDIA driver ${first.driver} is too old: TensorFlow needs ${needsOf(first).driver} or newer on ${first.name}`,
    ['Install a newer driver and restart:', ...driverCommands].join('\n'),
  )
}

/** Returns the GPU with the most free memory, the first of equals; undefined if there is none. */
export function freestGpu(gpus: readonly Gpu[]): Gpu | undefined {
  return gpus.reduce<Gpu | undefined>(
    (best, gpu) => (best === undefined || gpu.freeMiB > best.freeMiB ? gpu : best),
    undefined,
  )
}

function unusable(problem: string, hint: string): EigenaeError {
  return new EigenaeError({ problem, subject: 'device cuda', hint })
}
