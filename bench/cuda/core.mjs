import { openCudaCore } from '../../dist/engines/cuda/engine.js'

/** Opens the CUDA core for a network. */
export async function openCore(spec) {
  const opening = await openCudaCore(spec)
  if (opening.kind === 'unfit') throw new Error(opening.reason)
  return opening.engine
}
