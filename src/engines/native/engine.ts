import { EigenaeError } from '../../errors.js'
import { coreSpec, trainerOn } from '../core/trainer.js'
import type { Engine } from '../engine.js'
import { loadNativeBinding, type NativeBinding } from './binding.js'

const mend = [
  'It is built from C++ at installation. Install a compiler (Debian and Ubuntu: apt-get install g++,',
  'Fedora: dnf install gcc-c++, macOS: xcode-select --install), then run: npm run build',
].join('\n')

/** The engine of this project's own C++ core, on the CPU. @throws where the core was not built on this machine. */
export function nativeEngine(): Engine {
  const binding = loadOrExplain()
  return {
    name: 'native',
    device: 'cpu',
    variant: binding.instructionSet,
    createTrainer: async (spec, images) => {
      const trainer = binding.createTrainer(coreSpec(spec))
      return trainerOn({ trainer, control: new Int32Array(new SharedArrayBuffer(12)) }, spec, images)
    },
    measurePeak: (threads) => binding.measurePeak(threads),
  }
}

function loadOrExplain(): NativeBinding {
  try {
    return loadNativeBinding()
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    const missing = reason?.startsWith('Cannot find module')
    throw new EigenaeError({
      what: missing
        ? 'the native engine was not built here'
        : `the native engine cannot be loaded: ${reason}`,
      where: 'device cpu',
      mend,
      cause: error,
    })
  }
}
