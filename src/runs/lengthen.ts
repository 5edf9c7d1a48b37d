import type { Config } from '../config/schema.js'
import type { RunFiles } from './files.js'
import { collect, configSha256, type Damage } from './integrity.js'
import { recognise } from './recognise.js'
import { factsIn, type InterruptedRecord, type RunRecord, readRecord } from './record.js'

// A run of 10 epochs is the beginning of a run of 20: no field of a config but train.epochs depends on the number of
// epochs, because schedules have a length of their own. To lengthen a run, its run.json is replaced first. It then is an
// interrupted run of the longer config, and names the shorter config, to which its checkpoint still belongs.

export interface ShorterRun {
  readonly record: RunRecord
  readonly damage: readonly Damage[]
}

/** Returns the run in a folder if it is that of the config with fewer epochs, null otherwise. */
export function recogniseShorter(files: RunFiles, config: Config): ShorterRun | null {
  const record = collect([], 'run.json', () => readRecord(files.record))?.record
  if (record === undefined || record.epochs >= config.train.epochs) return null
  const found = recognise(files, withEpochs(config, record.epochs))
  return found.kind === 'same' && found.record !== null
    ? { record: found.record, damage: found.damage }
    : null
}

/** Returns the run.json of a run that is to have the config's epochs. */
export function lengthenedRecord(record: RunRecord, config: Config): InterruptedRecord {
  const shorter = {
    epochs: record.epochs,
    configSha256: record.configSha256 ?? configSha256(withEpochs(config, record.epochs)),
  }
  return {
    status: 'interrupted',
    ended: record.status === 'running' ? new Date().toISOString() : record.ended,
    ...factsIn(record),
    epochs: config.train.epochs,
    configSha256: configSha256(config),
    shorterConfigs: [...(record.shorterConfigs ?? []), shorter],
  }
}

function withEpochs(config: Config, epochs: number): Config {
  return { ...config, train: { ...config.train, epochs } }
}
