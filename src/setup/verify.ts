import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Device } from '../config/schema.js'
import { findInstallation } from '../engines/tensorflow/installation.js'
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

/** What that process does. @throws EigenaeError where the numbers are wrong, or the addon cannot be loaded. */
export function verifyHere(device: TensorflowDevice): void {
  const { addon } = findInstallation(device === 'cuda' ? 'cuda' : 'cpu')
  const binding = createRequire(import.meta.url)(addon) as Binding
  if (device === 'cuda' && !binding.isUsingGpuDevice())
    throw new EigenaeError({ what: 'TensorFlow finds no GPU that it can use' })
  const product = multiply(binding, [1, 2, 3, 4], [5, 6, 7, 8])
  if (product.join() !== '19,22,43,50')
    throw new EigenaeError({ what: `a product of two matrices came out wrong (${product.join(' ')})` })
}

interface Binding {
  readonly TF_FLOAT: number
  readonly TF_ATTR_TYPE: number
  readonly TF_ATTR_BOOL: number
  isUsingGpuDevice(): boolean
  createTensor(shape: readonly number[], type: number, values: Float32Array): number
  executeOp(
    name: string,
    attributes: readonly object[],
    inputs: readonly number[],
    outputs: number,
  ): readonly { readonly id: number }[]
  tensorDataSync(id: number): Float32Array
}

/** The product of two 2 × 2 matrices. */
function multiply(binding: Binding, a: readonly number[], b: readonly number[]): Float32Array {
  const tensor = (values: readonly number[]) =>
    binding.createTensor([2, 2], binding.TF_FLOAT, Float32Array.from(values))
  const attributes = [
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'transpose_a', type: binding.TF_ATTR_BOOL, value: false },
    { name: 'transpose_b', type: binding.TF_ATTR_BOOL, value: false },
  ]
  const [product] = binding.executeOp('MatMul', attributes, [tensor(a), tensor(b)], 1)
  return binding.tensorDataSync(product!.id)
}
