import { askNvidiaSmi, visibleIds } from '../setup/nvidia.js'

export interface Gpus {
  /** As CUDA_VISIBLE_DEVICES takes them. */
  readonly ids: readonly string[]
  /** Where it was looked: why there are none, where there are none. */
  readonly source: string
  /** What makes the ids mean the same to CUDA as to whoever gave them. */
  readonly environment: Readonly<Record<string, string>>
}

/** The GPUs that this process may use: CUDA_VISIBLE_DEVICES where it is set (a scheduler sets it), else nvidia-smi's. */
export async function findGpus(environment: NodeJS.ProcessEnv = process.env): Promise<Gpus> {
  const visible = environment.CUDA_VISIBLE_DEVICES
  if (visible !== undefined)
    return { ids: visibleIds(visible), source: `CUDA_VISIBLE_DEVICES="${visible}"`, environment: {} }
  const report = await askNvidiaSmi()
  if (report.kind === 'gpus') {
    const ids = report.gpus.map(({ index }) => index)
    // CUDA's own order is the fastest first, nvidia-smi's is the bus's.
    return { ids, source: 'nvidia-smi lists none', environment: { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } }
  }
  const why = report.kind === 'absent' ? 'there is no nvidia-smi' : `nvidia-smi: ${report.reason}`
  return { ids: [], source: why, environment: {} }
}
