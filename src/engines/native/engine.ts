import { join } from 'node:path'
import { EigenaeError, hasCode, usageError } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import { type CoreTrainer, coreBackedTrainer } from '../core-trainer.js'
import type { Engine, TrainerSpec } from '../engine.js'
import { BindingError, type LoadedBinding, loadNativeBinding, type NativeBinding } from './binding.js'

const hint = [
  'Where no prebuilt one fits it is built from C++. Install a compiler (Debian and Ubuntu: apt-get install g++,',
  'Fedora: dnf install gcc-c++, macOS: xcode-select --install), then run:',
  `node ${join(packageRoot, 'scripts', 'build-native.mjs')} --strict`,
].join('\n')

/** The engine of this project's own C++ core, on the CPU. @throws where the core was not built on this machine. */
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

/** What the machine lacked, by the code of the addon's error. */
const lacks: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOMEM: ['this machine has not enough memory for this network', 'Use narrower layers or a smaller batch.'],
  EAGAIN: ['this machine starts no more threads', 'Use fewer --threads.'],
}

function createTrainer(binding: NativeBinding, spec: TrainerSpec, images: Uint8Array): CoreTrainer {
  try {
    return binding.createTrainer(spec, images)
  } catch (cause) {
    const lack = Object.keys(lacks).find((code) => hasCode(cause, code))
    if (lack === undefined) throw cause
    const [what, hint] = lacks[lack]!
    throw new EigenaeError({
      problem: `${what} (${(cause as Error).message})`,
      subject: 'device cpu',
      hint,
      cause,
    })
  }
}

/** The fastest, or the one that EIGENAE_ISA names, which the core takes then. @throws a usage error where it is not here. */
function instructionSet({ instructionSets }: NativeBinding): string {
  const wanted = process.env.EIGENAE_ISA
  if (wanted === undefined || wanted === '') return instructionSets[0]!
  if (instructionSets.includes(wanted)) return wanted
  throw usageError({
    problem: `this processor has no instruction set "${wanted}"`,
    subject: 'EIGENAE_ISA',
    hint: `The processor has ${instructionSets.join(', ')}: name one of them, or none for the fastest.`,
  })
}

function loadOrExplain(): LoadedBinding {
  try {
    return loadNativeBinding()
  } catch (error) {
    if (!(error instanceof BindingError)) throw error
    throw new EigenaeError({
      problem:
        error.found.length === 0
          ? 'the native engine was not built here'
          : `the native engine cannot be loaded: ${error.found.join('; ')}`,
      subject: 'device cpu',
      hint,
      cause: error,
    })
  }
}
