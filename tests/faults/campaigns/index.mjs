import { hostileArguments } from './arguments.mjs'
import { fileErrors } from './file-errors.mjs'
import { fullDisk } from './full-disk.mjs'
import { hostileFiles } from './hostile-files.mjs'
import { kills, lengthenings, sweepKills } from './kills.mjs'
import { lockRaces } from './lock-races.mjs'
import { mutations } from './mutations.mjs'
import { outputCuts } from './output-cuts.mjs'
import { powerCuts } from './power-cuts.mjs'
import { signalStorms } from './signals.mjs'
import { stops } from './stops.mjs'
import { tagRaces } from './tag-races.mjs'

export const campaigns = [
  kills,
  sweepKills,
  lengthenings,
  powerCuts,
  outputCuts,
  fullDisk,
  fileErrors,
  mutations,
  hostileArguments,
  hostileFiles,
  signalStorms,
  stops,
  lockRaces,
  tagRaces,
]
