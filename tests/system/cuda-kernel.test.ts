import { describeGolden } from '../golden/suite.js'
import { emulatedCuda, fitsCuda, smallDivisions } from '../support/emulated-cuda.js'

describeGolden(emulatedCuda(smallDivisions), fitsCuda)
