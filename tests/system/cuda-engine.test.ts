import { describeGolden } from '../golden/suite.js'
import { cudaMachine, describeWithCuda, openCoreOn } from '../support/cuda-engine.js'
import { describeEngine } from '../support/engine-suite.js'

const machine = cudaMachine()
const core = 'missing' in machine ? null : await openCoreOn(machine)

/**
 * Each network has a kernel of its own, which takes ten seconds to compile and to translate. A card, which needs no
 * translation, replays all golden files; tests/system/cuda-kernel.test.ts replays them on the kernel's source.
 */
const onCard = process.env.EIGENAE_CUDA_TESTS === 'card'
const sample = [17, 9, 3]

describeWithCuda('the CUDA core', () => {
  const { engine, fits } = core!
  describeGolden(engine, (spec) => fits(spec) && (onCard || String(spec.widths) === String(sample)))
  describeEngine(engine, fits)
})
