import { existsSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { hasCode, withFileErrors } from '../errors.js'

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

/** Makes a folder with those above it. */
export async function makeFolder(folder: string): Promise<void> {
  await withFileErrors('make the folder', folder, async () => {
    try {
      await mkdir(folder, { recursive: true })
    } catch (error) {
      // Where the file system refuses, Node says ENOENT of a recursive call and the reason of a plain one.
      if (hasCode(error, 'ENOENT')) await mkdir(firstMissing(resolve(folder)))
      throw error
    }
  })
}

function firstMissing(folder: string): string {
  const parent = dirname(folder)
  return existsSync(parent) ? folder : firstMissing(parent)
}

/** A reader sees the old file or the new one, never a part; a failed write leaves the old one as it was. */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`
  await withFileErrors('write', file, async () => {
    try {
      const handle = await open(temporary, 'w')
      try {
        await handle.writeFile(content)
      } finally {
        await handle.close()
      }
      await rename(temporary, file)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  })
}

/** JSON as people read it, with a newline at the end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
