import { open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileErrors } from '../errors.js'
import { isAlive } from './processes.js'

/** The files of a run folder. */
export interface RunFiles {
  readonly folder: string
  readonly config: string
  readonly record: string
  readonly metrics: string
  readonly spectrum: string
  readonly timings: string
  readonly evaluation: string
  readonly checkpointFolder: string
  readonly checkpoint: string
  readonly model: string
  readonly lock: string
  /** What a run of a sweep said, attempt after attempt. */
  readonly log: string
}

export const logName = 'train.log'

/** Of the folder that pictures of a run, or of a group, are put into. */
export const plotsName = 'plots'

export function runFiles(folder: string): RunFiles {
  const inside = (...names: readonly string[]) => join(folder, ...names)
  return {
    folder,
    config: inside('config.json'),
    record: inside('run.json'),
    metrics: inside('metrics.csv'),
    spectrum: inside('spectrum.csv'),
    timings: inside('timings.csv'),
    evaluation: inside('evaluation.json'),
    checkpointFolder: inside('checkpoint'),
    checkpoint: inside('checkpoint', 'state.safetensors'),
    model: inside('model.safetensors'),
    lock: inside('.lock'),
    log: inside(logName),
  }
}

export interface NamedContent {
  readonly file: string
  readonly content: string | Uint8Array
}

/** A reader sees the old file or the new one, never a part; a failed write leaves the old one as it was. */
export function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  return writeTogether([{ file, content }])
}

/** Several files that belong together: all are written before the first is put in its place. */
export async function writeTogether(files: readonly NamedContent[]): Promise<void> {
  const temporary = (file: string) => `${file}.${process.pid}.tmp`
  try {
    for (const { file, content } of files)
      await withFileErrors('write', file, () => writeAnew(temporary(file), content))
    for (const { file } of files) await withFileErrors('write', file, () => rename(temporary(file), file))
  } catch (error) {
    for (const { file } of files) await rm(temporary(file), { force: true })
    throw error
  }
}

/** The process that wrote, or writes, a file by this temporary name; null where the name is none. */
export function writerOf(name: string): number | null {
  const [, pid] = /\.(\d+)\.tmp$/.exec(name) ?? []
  return pid === undefined ? null : Number(pid)
}

/** Removes what writes have left in a folder whose processes were ended in the middle. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = writerOf(name)
    if (pid !== null && !isAlive(pid)) await rm(join(folder, name), { force: true })
  }
}

async function writeAnew(file: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(file, 'w')
  try {
    await handle.writeFile(content)
  } finally {
    await handle.close()
  }
}

/** JSON as people read it, with a newline at the end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
