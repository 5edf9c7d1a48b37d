import { describeGolden } from '../golden/suite.js'
import { describeEngine } from '../support/engine-suite.js'
import { whereTensorflowIs } from '../support/tensorflow-engine.js'

whereTensorflowIs((engine) => {
  describeGolden(engine)
  describeEngine(engine)
})
