import { hostileArguments } from './arguments.mjs'
import { fileErrors } from './file-errors.mjs'
import { fullDisk } from './full-disk.mjs'
import { kills, lengthenings, sweepKills } from './kills.mjs'
import { lockRaces } from './lock-races.mjs'
import { mutations } from './mutations.mjs'
import { powerCuts } from './power-cuts.mjs'
import { signalStorms } from './signals.mjs'

export const campaigns = [
  kills,
  sweepKills,
  lengthenings,
  powerCuts,
  fullDisk,
  fileErrors,
  mutations,
  hostileArguments,
  signalStorms,
  lockRaces,
]
