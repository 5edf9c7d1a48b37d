import { join } from 'node:path'
import { EigenaeError, hasCode, usageError } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import { type CoreTrainer, coreBackedTrainer, encodeSpec } from '../core.js'
import type { Engine, TrainerSpec } from '../engine.js'
import { BindingError, type LoadedBinding, loadNativeBinding, type NativeBinding } from './binding.js'

const hint = [
  'Build it from C++: install a compiler (Debian and Ubuntu: apt-get install g++, Fedora: dnf install gcc-c++,',
  'macOS: xcode-select --install), then run:',
  `node ${join(packageRoot, 'scripts', 'build-native.mjs')} --strict`,
].join('\n')

/** The engine of this project's own C++ core, on the CPU. @throws EigenaeError if there is no addon for this machine. */
export function nativeEngine(): Engine {
  const { binding, origin, refusals } = loadOrExplain()
  return {
    name: 'native',
    device: 'cpu',
    variant: instructionSet(binding),
    origin,
    refusals,
    createTrainer: async (spec, images) =>
      coreBackedTrainer(createTrainer(binding, spec, images), spec, images),
    measurePeak: (threads) => binding.measurePeak(threads),
  }
}

/** Returns the instruction sets that this machine can run, the fastest first; none if there is no addon for it. */
export function instructionSets(): readonly string[] {
  try {
    return loadNativeBinding().binding.instructionSets
  } catch (error) {
    if (error instanceof BindingError) return []
    throw error
  }
}

/** Errors of creating a trainer that the machine causes, by the code of the addon's error. */
const machineErrors: Readonly<Record<string, { readonly problem: string; readonly hint: string }>> = {
  ENOMEM: {
    problem: 'this machine has not enough memory for this network',
    hint: 'Use narrower layers or a smaller batch.',
  },
  EAGAIN: { problem: 'this machine cannot start more threads', hint: 'Use fewer --threads.' },
}

function createTrainer(binding: NativeBinding, spec: TrainerSpec, images: Uint8Array): CoreTrainer {
  try {
    return binding.createTrainer(encodeSpec(spec), images)
  } catch (cause) {
    const code = Object.keys(machineErrors).find((each) => hasCode(cause, each))
    if (code === undefined) throw cause
    const { problem, hint } = machineErrors[code]!
    throw new EigenaeError({
      problem: `${problem} (${(cause as Error).message})`,
      subject: 'device cpu',
      hint,
      cause,
    })
  }
}

/** Returns the fastest instruction set, or the one of EIGENAE_ISA. @throws a usage error if the processor lacks it. */
function instructionSet({ instructionSets }: NativeBinding): string {
  const requested = process.env.EIGENAE_ISA
  if (requested === undefined || requested === '') return instructionSets[0]!
  if (instructionSets.includes(requested)) return requested
  throw usageError({
    problem: `this processor has no instruction set "${requested}"`,
    subject: 'EIGENAE_ISA',
    hint: `Use one of ${instructionSets.join(', ')}, or unset EIGENAE_ISA for the fastest.`,
  })
}

function loadOrExplain(): LoadedBinding {
  try {
    return loadNativeBinding()
  } catch (error) {
    if (!(error instanceof BindingError)) throw error
    throw new EigenaeError({
      problem:
        error.misfits.length === 0
          ? 'the native engine was not built here'
          : `the native engine cannot be loaded: ${error.misfits.join('; ')}`,
      subject: 'device cpu',
      hint,
      cause: error,
    })
  }
}
