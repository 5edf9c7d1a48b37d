import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { firstLine, hasCode } from '../errors.js'

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
export type NvidiaReport<T = Gpu> =
  | { readonly kind: 'gpus'; readonly gpus: readonly T[] }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'absent' }

const run = promisify(execFile)
const timeoutMilliseconds = 20_000
const capabilityField = 'compute_cap'
const fields = ['index', 'uuid', 'name', capabilityField, 'memory.total', 'memory.free', 'driver_version']

export async function queryNvidiaSmi(): Promise<NvidiaReport> {
  const report = await queryFields(fields, gpuOf)
  // Drivers before 510 lack the field. The name in its place is not a number, so the capability becomes NaN.
  const isOld =
    report.kind === 'refused' && report.reason.includes(`"${capabilityField}" is not a valid field`)
  return isOld
    ? queryFields(
        fields.map((field) => (field === capabilityField ? 'name' : field)),
        gpuOf,
      )
    : report
}

/**
 * Asks nvidia-smi for some fields of each GPU.
 * @param gpuOf makes a GPU of the fields' values
 */
export async function queryFields<T>(
  names: readonly string[],
  gpuOf: (values: readonly string[]) => T,
  signal?: AbortSignal,
): Promise<NvidiaReport<T>> {
  const args = [`--query-gpu=${names.join(',')}`, '--format=csv,noheader,nounits']
  try {
    const { stdout } = await run('nvidia-smi', args, { timeout: timeoutMilliseconds, signal })
    const lines = stdout.split('\n').map((line) => line.split(',').map((cell) => cell.trim()))
    return { kind: 'gpus', gpus: lines.filter((cells) => cells.length >= names.length).map(gpuOf) }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { kind: 'absent' }
    return { kind: 'refused', reason: firstLine(errorOutput(error)) }
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

/** Returns what nvidia-smi printed on stdout, where it prints its errors, or else the error's message. */
function errorOutput(error: unknown): string {
  const { stdout, message } = error as Error & { readonly stdout?: string }
  return stdout?.trim() || message
}

/** Returns the newest CUDA that the driver supports, "12.4", from the head of nvidia-smi's table; null if it is not there. */
export async function driverCudaVersion(): Promise<string | null> {
  const table = await run('nvidia-smi', { timeout: timeoutMilliseconds }).catch(() => null)
  return /CUDA (?:UMD )?Version\s*:\s*([\d.]+)/.exec(table?.stdout ?? '')?.[1] ?? null
}

/** Names another libcuda for the CUDA core: a stand-in that runs kernels on the processor. For tests. */
export const cudaLibraryVariable = 'EIGENAE_LIBCUDA'

/** Returns the driver's library, for dlopen. */
export function cudaLibrary(): string {
  return process.env[cudaLibraryVariable] || 'libcuda.so.1'
}

/**
 * Loads the driver's library as the engines will. Returns why it cannot be loaded, or null. A process of its own loads it,
 * because a damaged library may crash the process.
 */
export async function cudaLibraryRefusal(): Promise<'not found' | { readonly reason: string } | null> {
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

/** Returns the GPUs that CUDA_VISIBLE_DEVICES leaves; all of them if it is not set or names parts of GPUs (MIG). */
export function visibleGpus(gpus: readonly Gpu[], visible: string | undefined): readonly Gpu[] {
  if (visible === undefined || visible.includes('MIG-')) return gpus
  return visibleIds(visible).flatMap((id) =>
    gpus.filter(({ index, uuid }) => index === id || (id.startsWith('GPU-') && uuid.startsWith(id))),
  )
}
