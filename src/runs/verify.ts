import { join } from 'node:path'
import { type Config, configSchema } from '../config/schema.js'
import { EigenaeError } from '../errors.js'
import { readCheckpoint } from './checkpoint.js'
import { changed, sumOfFile } from './checksums.js'
import { collect, type Damage } from './damage.js'
import { checkpointName, type RunFiles } from './files.js'
import { inspectRun } from './inspect.js'
import { readModel } from './model-file.js'
import type { RunRecord } from './record.js'

export interface Verification {
  /** Null if run.json cannot be read. */
  readonly record: RunRecord | null
  /** Whether the run was made with checksums. */
  readonly checksums: boolean
  readonly damage: readonly Damage[]
  /** Tables with rows after the last checkpoint. */
  readonly surplus: readonly string[]
}

const modelName = 'model.safetensors'

/** Checks every byte of a run that can be checked, those of model and checkpoint too. */
export function verifyRun(files: RunFiles): Verification {
  try {
    const { record, checksum, contents, surplus, damage } = inspectRun(files, 'heads')
    const config = damage.some(({ file }) => file === 'config.json')
      ? null
      : configIn(contents['config.json']!)
    const found = [...damage, ...checkTensors(files, record, config, damage)]
    return { record, checksums: checksum !== 'none', damage: found, surplus }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    return {
      record: null,
      checksums: false,
      damage: [{ file: 'run.json', reason: error.parts.problem }],
      surplus: [],
    }
  }
}

/** Null if another version made the run. */
function configIn(content: Buffer): Config | null {
  return configSchema.safeParse(JSON.parse(content.toString('utf8'))).data ?? null
}

function checkTensors(
  files: RunFiles,
  record: RunRecord,
  config: Config | null,
  known: readonly Damage[],
): readonly Damage[] {
  const damage: Damage[] = []
  const completed = record.status === 'completed'
  const sums = (completed && record.files) || {}
  const checks = [
    [modelName, (of: Config) => readModel(files.model, of, undefined)],
    [checkpointName, (of: Config) => readCheckpoint(files, of)],
  ] as const
  for (const [name, read] of checks) {
    if (known.some(({ file }) => file === name)) continue
    const sum = sums[name]
    if (sum !== undefined) {
      if (sumOfFile(join(files.folder, name))?.sha256 !== sum.sha256)
        damage.push({ file: name, reason: changed })
    } else if (config !== null) {
      const found = collect(damage, name, () => read(config))
      if (found === null && completed && name === modelName) damage.push({ file: name, reason: 'is missing' })
    }
  }
  return damage
}
