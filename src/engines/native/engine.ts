import { join } from 'node:path'
import { EigenaeError } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import { coreSpec, trainerOn } from '../core/trainer.js'
import type { Engine } from '../engine.js'
import { BindingError, type LoadedBinding, loadNativeBinding } from './binding.js'

const mend = [
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
    variant: binding.instructionSet,
    origin,
    refusals,
    createTrainer: async (spec, images) => {
      const trainer = binding.createTrainer(coreSpec(spec))
      return trainerOn({ trainer, control: new Int32Array(new SharedArrayBuffer(12)) }, spec, images)
    },
    measurePeak: (threads) => binding.measurePeak(threads),
  }
}

function loadOrExplain(): LoadedBinding {
  try {
    return loadNativeBinding()
  } catch (error) {
    if (!(error instanceof BindingError)) throw error
    throw new EigenaeError({
      what:
        error.found.length === 0
          ? 'the native engine was not built here'
          : `the native engine cannot be loaded: ${error.found.join('; ')}`,
      where: 'device cpu',
      mend,
      cause: error,
    })
  }
}
