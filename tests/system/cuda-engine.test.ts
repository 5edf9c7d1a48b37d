import { describeGolden } from '../golden/suite.js'
import { cudaMachine, describeWithCuda, openCoreOn } from '../support/cuda-engine.js'
import { describeEngine } from '../support/engine-suite.js'

const machine = cudaMachine()
const engine = 'missing' in machine ? null : await openCoreOn(machine)

describeWithCuda('the CUDA core', () => {
  describeGolden(engine!)
  describeEngine(engine!)
})
