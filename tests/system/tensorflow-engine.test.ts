import { describeGolden } from '../golden/suite.js'
import { describeEngine } from '../support/engine-suite.js'
import { describeWithTensorflow } from '../support/tensorflow-engine.js'

describeWithTensorflow((engine) => {
  describeGolden(engine)
  describeEngine(engine)
})
