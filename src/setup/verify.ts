import { join } from 'node:path'
import type { Device } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { packageRoot } from '../package-root.js'
import { runTool } from './tool.js'

export type TensorflowDevice = Extract<Device, 'cuda' | 'tensorflow-cpu'>

/**
 * Checks by numbers that TensorFlow computes on a device, in a process of its own, since a library that does not fit
 * the machine ends its process.
 * @param root where that process finds the installation
 */
export async function verifyInChild(
  device: TensorflowDevice,
  root: string,
  signal: AbortSignal,
): Promise<void> {
  const environment = {
    ...process.env,
    EIGENAE_TENSORFLOW_DIR: root,
    TF_CPP_MIN_LOG_LEVEL: '3',
    ...(device === 'tensorflow-cpu' && { CUDA_VISIBLE_DEVICES: '-1' }),
  }
  const cli = join(packageRoot, 'bin', 'eigenae.js')
  const ending = await runTool(process.execPath, [cli, 'verify-tensorflow', device], { environment, signal })
  if (ending.code === 0) return
  throw new EigenaeError({
    what:
      ending.signal === null
        ? `TensorFlow does not compute on ${device}`
        : `TensorFlow crashed on ${device} (${ending.signal})`,
    details: ending.stderr.trim().split('\n').slice(-4),
    ...(ending.signal === 'SIGILL' && { mend: "TensorFlow's wheels need a processor with AVX." }),
  })
}
