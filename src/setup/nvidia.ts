import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { hasCode } from '../errors.js'

export interface Gpu {
  readonly index: string
  readonly uuid: string
  readonly name: string
  /** CUDA's compute capability: 7.5, 9; NaN where the driver does not tell. */
  readonly capability: number
  readonly totalMiB: number
  readonly freeMiB: number
  /** The driver's version, the same for all of them: "550.54.15". */
  readonly driver: string
}

/** What nvidia-smi says: the machine's GPUs, or why it cannot say. `absent` where there is no nvidia-smi. */
export type NvidiaReport =
  | { readonly kind: 'gpus'; readonly gpus: readonly Gpu[] }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'absent' }

const run = promisify(execFile)
const patienceMilliseconds = 20_000
const capabilityField = 'compute_cap'
const fields = ['index', 'uuid', 'name', capabilityField, 'memory.total', 'memory.free', 'driver_version']

export async function askNvidiaSmi(): Promise<NvidiaReport> {
  const report = await query(fields)
  // Drivers before 510 do not know a card's capability. Its name stands there instead, which is no number.
  const isOld =
    report.kind === 'refused' && report.reason.includes(`"${capabilityField}" is not a valid field`)
  return isOld ? query(fields.map((field) => (field === capabilityField ? 'name' : field))) : report
}

async function query(names: readonly string[]): Promise<NvidiaReport> {
  const args = [`--query-gpu=${names.join(',')}`, '--format=csv,noheader,nounits']
  try {
    const { stdout } = await run('nvidia-smi', args, { timeout: patienceMilliseconds })
    return { kind: 'gpus', gpus: stdout.split('\n').flatMap(gpuOf) }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { kind: 'absent' }
    return { kind: 'refused', reason: firstLine(error) }
  }
}

function gpuOf(line: string): readonly Gpu[] {
  const [index, uuid, name, capability, total, free, driver] = line.split(',').map((cell) => cell.trim())
  if (driver === undefined) return []
  return [
    {
      index: index!,
      uuid: uuid!,
      name: name!,
      capability: Number(capability),
      totalMiB: Number(total),
      freeMiB: Number(free),
      driver,
    },
  ]
}

/** nvidia-smi explains itself on stdout. */
function firstLine(error: unknown): string {
  const { stdout, message } = error as Error & { readonly stdout?: string }
  return (stdout?.trim() || message).split('\n')[0]!
}

/** The newest CUDA that the driver serves, "12.4", as the head of nvidia-smi's table says; null where it does not. */
export async function driverCudaVersion(): Promise<string | null> {
  const table = await run('nvidia-smi', { timeout: patienceMilliseconds }).catch(() => null)
  return /CUDA (?:UMD )?Version\s*:\s*([\d.]+)/.exec(table?.stdout ?? '')?.[1] ?? null
}

/**
 * Why the system's loader cannot load the driver's library, as TensorFlow will try to; null where it can. Tried in a
 * process of its own: a damaged library may end it.
 */
export async function cudaLibraryRefusal(): Promise<'not found' | { readonly reason: string } | null> {
  const program = "process.dlopen({ exports: {} }, 'libcuda.so.1')"
  try {
    await run(process.execPath, ['-e', program], { timeout: patienceMilliseconds })
    return null
  } catch (error) {
    const { stderr = '', signal } = error as Error & { readonly stderr?: string; readonly signal?: string }
    // Loaded, and then found to be no addon for Node, which it is not.
    if (stderr.includes('did not self-register')) return null
    if (/libcuda\.so\.1: cannot open shared object file: No such file/.test(stderr)) return 'not found'
    const reason = /^Error: (.*)/m.exec(stderr)?.[1] ?? `loading it ended the process (${signal})`
    return { reason }
  }
}

/** CUDA_VISIBLE_DEVICES as a list. CUDA stops at the first id that is none: "-1" and an empty text hide every GPU. */
export function visibleIds(visible: string): readonly string[] {
  const ids = visible.split(',').map((id) => id.trim())
  const end = ids.findIndex((id) => id === '' || id.startsWith('-'))
  return end < 0 ? ids : ids.slice(0, end)
}

/** The GPUs that CUDA_VISIBLE_DEVICES leaves; all of them where it is not set or names parts of GPUs (MIG). */
export function visibleGpus(gpus: readonly Gpu[], visible: string | undefined): readonly Gpu[] {
  if (visible === undefined || visible.includes('MIG-')) return gpus
  return visibleIds(visible).flatMap((id) =>
    gpus.filter(({ index, uuid }) => index === id || (id.startsWith('GPU-') && uuid.startsWith(id))),
  )
}
