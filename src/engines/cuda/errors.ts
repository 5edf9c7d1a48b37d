import { EigenaeError } from '../../errors.js'
import { eigenaeCommand } from '../../text/command-line.js'

const resumeRuns = `Resume the runs: ${eigenaeCommand('train --resume')}, or ${eigenaeCommand('sweep --resume')}. Their checkpoints are intact.`
const otherDevice = 'or train on another device: --device cpu'
const lostContext = {
  problem: 'this process has lost the card',
  hint: [
    resumeRuns,
    "If it happens again, look at the driver's messages (sudo dmesg | grep -i -e nvrm -e xid), " +
      otherDevice,
  ].join('\n'),
}
const lostContextCodes = [
  ...['ILLEGAL_ADDRESS', 'ILLEGAL_INSTRUCTION', 'MISALIGNED_ADDRESS', 'INVALID_ADDRESS_SPACE', 'INVALID_PC'],
  ...['HARDWARE_STACK_ERROR', 'ASSERT', 'LAUNCH_FAILED', 'LAUNCH_TIMEOUT', 'ECC_UNCORRECTABLE'],
  ...['CONTEXT_IS_DESTROYED', 'UNKNOWN'],
].map((name) => `CUDA_ERROR_${name}`)
const oldDriver = {
  problem: 'the NVIDIA driver is too old for the CUDA core',
  hint: `Install driver 525 or newer and restart, ${otherDevice}`,
}
const noCard = {
  problem: 'no card was found',
  hint: `Check nvidia-smi and CUDA_VISIBLE_DEVICES, ${otherDevice}`,
}
const kernelRefused = {
  problem: 'the driver cannot load the kernel',
  hint: `Install a newer driver, ${otherDevice}`,
  refusesKernel: true,
}

interface KnownFailure {
  readonly problem: string
  readonly hint: string
  /** Another engine may train what this kernel would. */
  readonly refusesKernel?: boolean
}

/** Failures by the code of the addon's error: the driver's names, and those of native/cuda/host/cuda_error.h. */
const knownFailures: Readonly<Record<string, KnownFailure>> = {
  EIGENAE_NO_LIBRARY: {
    problem: 'an NVIDIA library cannot be loaded',
    hint: `Run "${eigenaeCommand('doctor')}", ${otherDevice}`,
  },
  EIGENAE_OLD_DRIVER: oldDriver,
  EIGENAE_NO_CARD: noCard,
  EIGENAE_DEADLINE: {
    problem: 'the card hangs',
    hint: [resumeRuns, `If it happens again, use TensorFlow (EIGENAE_CUDA=tensorflow), ${otherDevice}`].join(
      '\n',
    ),
  },
  EIGENAE_COMPILATION: {
    problem: 'NVRTC cannot compile the kernel',
    hint: `Run "${eigenaeCommand('setup cuda')}" again, use TensorFlow (EIGENAE_CUDA=tensorflow), ${otherDevice}`,
  },
  CUDA_ERROR_OUT_OF_MEMORY: {
    problem: 'not enough memory on the card',
    hint: 'End other programs on the card ("nvidia-smi" lists them), or train fewer runs at once.',
  },
  CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE: {
    problem: 'the card cannot hold all blocks of a launch at once',
    hint: 'End other programs on the card ("nvidia-smi" lists them).',
    refusesKernel: true,
  },
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: kernelRefused,
  CUDA_ERROR_INVALID_PTX: kernelRefused,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION: kernelRefused,
  CUDA_ERROR_NO_BINARY_FOR_GPU: kernelRefused,
  CUDA_ERROR_INVALID_IMAGE: kernelRefused,
  CUDA_ERROR_JIT_COMPILER_NOT_FOUND: {
    problem: 'the driver is incomplete: its compiler is missing (libnvidia-ptxjitcompiler.so.1)',
    hint: `Install the driver's whole package, in a container with NVIDIA_DRIVER_CAPABILITIES=compute,utility, ${otherDevice}`,
  },
  CUDA_ERROR_NO_DEVICE: noCard,
  CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: {
    problem: 'the driver and its library have different versions',
    hint: 'Restart the machine, as after every update of the driver: sudo reboot',
  },
  CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE: oldDriver,
  CUDA_ERROR_SYSTEM_NOT_READY: {
    problem: 'the driver is not ready',
    hint: 'On a machine with NVSwitch, start its service: sudo systemctl start nvidia-fabricmanager',
  },
  CUDA_ERROR_DEVICE_UNAVAILABLE: {
    problem: 'another process has exclusive use of the card',
    hint: 'Wait until it ends ("nvidia-smi" lists it), or let processes share the card: sudo nvidia-smi --compute-mode=DEFAULT',
  },
  ...Object.fromEntries(lostContextCodes.map((code) => [code, lostContext])),
}

/** Translates a failure of the addon for users. Any other error is returned unchanged. */
function cudaError(error: unknown): unknown {
  const code = codeOf(error)
  if (code === null) return error
  const known = knownFailures[code]
  const details = (error as Error).message.trim().split('\n')
  return new EigenaeError({
    problem: known?.problem ?? 'the CUDA core failed',
    subject: 'device cuda',
    details: details.slice(0, 8),
    hint: known?.hint ?? `Use TensorFlow (EIGENAE_CUDA=tensorflow), ${otherDevice}`,
    cause: error,
  })
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null
  return /^(CUDA_ERROR|EIGENAE)_/.test(String(error.code)) ? String(error.code) : null
}

/** Whether the driver or the card refuses a kernel. */
export function isKernelRefusal(error: unknown): error is EigenaeError {
  if (!(error instanceof EigenaeError)) return false
  const code = codeOf(error.cause)
  return code !== null && knownFailures[code]?.refusesKernel === true
}

/** Runs a call of the addon and translates its failure. */
export async function withCudaErrors<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw cudaError(error)
  }
}
