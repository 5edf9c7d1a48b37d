import { EigenaeError } from '../../errors.js'
import { driverCudaVersion } from '../../setup/nvidia.js'
import { cudaNeeds, requireDriver, requireFittingGpu } from '../../setup/requirements.js'

export interface Card {
  readonly usable: boolean
  /** What this machine has for CUDA, beside what TensorFlow needs. */
  readonly line: string
}

/** Whether TensorFlow's CUDA wheel fits the driver and a card of this machine. */
export async function findCard(): Promise<Card> {
  try {
    const gpus = await requireDriver()
    const { ptx, native } = cudaNeeds
    const needs = `TensorFlow is built by CUDA ${ptx.cuda} and needs driver ${native.driver} or newer`
    if (gpus === null)
      return { usable: true, line: `NVIDIA driver of unknown version (no nvidia-smi); ${needs}` }
    const cuda = await driverCudaVersion()
    const [first] = requireFittingGpu(gpus, cuda)
    const driver = `NVIDIA driver ${first!.driver}${cuda === null ? '' : ` (CUDA ${cuda})`}`
    return { usable: true, line: `${first!.name}, ${driver}; ${needs}` }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    return { usable: false, line: `CUDA cannot be used here: ${error.parts.problem}` }
  }
}
