import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sumOf } from '../../src/runs/integrity.js'
import { withChecksum } from '../../src/runs/record.js'

/** Updates the checksums of a run that a test has changed, so that the change is not detected. */
export function sealRun(folder: string, fields: object = {}): void {
  const file = join(folder, 'run.json')
  const { sha256: _, files, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
  const names = Object.keys(files ?? {}).filter((name) => existsSync(join(folder, name)))
  const sums = Object.fromEntries(names.map((name) => [name, sumOf(readFileSync(join(folder, name)))]))
  const configSha256 = sumOf(readFileSync(join(folder, 'config.json'))).sha256
  const sealed = { ...rest, configSha256, ...(files && { files: sums }), ...fields }
  writeFileSync(file, JSON.stringify(withChecksum(sealed)))
}
