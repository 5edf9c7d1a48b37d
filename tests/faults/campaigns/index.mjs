import { fileErrors } from './file-errors.mjs'
import { fullDisk } from './full-disk.mjs'
import { kills, sweepKills } from './kills.mjs'
import { powerCuts } from './power-cuts.mjs'

export const campaigns = [kills, sweepKills, powerCuts, fullDisk, fileErrors]
