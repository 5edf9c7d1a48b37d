import { describeEngine } from './support/engine-suite.js'
import { engines } from './support/engines.js'

for (const engine of engines) describeEngine(engine)
