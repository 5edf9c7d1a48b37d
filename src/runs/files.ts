import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ConfigOrigin } from '../config/check.js'
import type { Override } from '../config/load.js'
import { overlaps } from '../config/paths.js'

/** The tables that grow by the rows of each epoch. */
export const tableNames = ['metrics.csv', 'spectrum.csv', 'timings.csv', 'layers.csv', 'losses.csv'] as const
export type TableName = (typeof tableNames)[number]

export const checkpointName = 'checkpoint/state.safetensors'

export const notesName = 'notes.json'

export const logName = 'train.log'

/** The name of the folder for the pictures of a run or of an arm. */
export const plotsName = 'plots'

/** The files of a run folder. */
export type RunFiles = Readonly<ReturnType<typeof runFiles>>

export function runFiles(folder: string) {
  const inside = (...names: readonly string[]) => join(folder, ...names)
  return {
    folder,
    config: inside('config.json'),
    record: inside('run.json'),
    metrics: inside('metrics.csv'),
    spectrum: inside('spectrum.csv'),
    timings: inside('timings.csv'),
    layers: inside('layers.csv'),
    losses: inside('losses.csv'),
    evaluation: inside('evaluation.json'),
    checkpointFolder: inside('checkpoint'),
    checkpoint: inside('checkpoint', 'state.safetensors'),
    model: inside('model.safetensors'),
    /** The user's tags and note. */
    notes: inside(notesName),
    /** Held while the notes are changed, which a running training allows. */
    notesLock: inside('.lock-notes'),
    lock: inside('.lock'),
    /** The output of a run of a sweep, one attempt after another. */
    log: inside(logName),
  }
}

/**
 * Returns "recorded" for the config.json of a run, which `reproduce` trains again, unless an override changes its loss or
 * model.
 */
export function originOf(configFile: string, overrides: readonly Override[]): ConfigOrigin {
  const isOfRun = basename(configFile) === 'config.json' && existsSync(runFiles(dirname(configFile)).record)
  const isChanged = overrides.some(({ path }) => overlaps(path.join('.'), ['loss', 'model']))
  return isOfRun && !isChanged ? 'recorded' : 'written'
}
