import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { visibleIds } from '../../engines/tensorflow/nvidia.js'

export interface Gpus {
  /** As CUDA_VISIBLE_DEVICES takes them. */
  readonly ids: readonly string[]
  /** Where they were found, or why none was. */
  readonly source: string
  /** What makes the ids mean the same to CUDA as to whoever gave them. */
  readonly environment: Readonly<Record<string, string>>
}

/** The GPUs that this process may use: CUDA_VISIBLE_DEVICES where it is set (a scheduler sets it), else nvidia-smi's. */
export async function findGpus(environment: NodeJS.ProcessEnv = process.env): Promise<Gpus> {
  const visible = environment.CUDA_VISIBLE_DEVICES
  if (visible !== undefined)
    return { ids: visibleIds(visible), source: `CUDA_VISIBLE_DEVICES="${visible}"`, environment: {} }
  try {
    const { stdout } = await promisify(execFile)(
      'nvidia-smi',
      ['--query-gpu=index', '--format=csv,noheader'],
      {
        timeout: 20_000,
      },
    )
    const ids = stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => /^\d+$/.test(line))
    // CUDA's own order is the fastest first, nvidia-smi's is the bus's.
    return { ids, source: 'nvidia-smi', environment: { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } }
  } catch (error) {
    return { ids: [], source: `nvidia-smi: ${(error as Error).message.split('\n')[0]}`, environment: {} }
  }
}
