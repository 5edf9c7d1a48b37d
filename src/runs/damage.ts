import { join } from 'node:path'
import { EigenaeError } from '../errors.js'

/** What is wrong with a file of a run. */
export interface Damage {
  /** By its name in the run folder. */
  readonly file: string
  readonly reason: string
}

export const remakeHint =
  'Remake it: run the command that made it again with --resume (eigenae train … --resume).'

export function damageText({ file, reason }: Damage): string {
  return `${file} ${reason}`
}

/** An error of a run that must not be used as it is. */
export function damagedRun(folder: string, damage: readonly Damage[]): EigenaeError {
  return new EigenaeError({
    problem: 'this run is damaged',
    subject: folder,
    details: damage.map(({ file, reason }) => `${join(folder, file)}: ${reason}`),
    hint: remakeHint,
  })
}

/** Returns what `read` gives, undefined if that fails; the reason is added to `damage`. */
export function collect<T>(damage: Damage[], file: string, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    damage.push({ file, reason: error.parts.problem })
    return undefined
  }
}
