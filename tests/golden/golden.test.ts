import { engines } from '../support/engines.js'
import { describeWithTensorflow } from '../support/tensorflow-engine.js'
import { describeGolden } from './suite.js'

for (const engine of engines) describeGolden(engine)

// The cases that come with the project are replayed on TensorFlow by tests/system/, which takes longer.
if (process.env.EIGENAE_GOLDEN_DIR !== undefined) describeWithTensorflow(describeGolden)
