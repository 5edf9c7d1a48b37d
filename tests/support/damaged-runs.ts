import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { beforeAll, expect } from 'vitest'
import { eigenae, scratchFolder } from './cli.js'
import { saveEveryEpoch } from './hold.js'
import { tinyConfigs } from './sweeps.js'

export const checkpoint = 'checkpoint/state.safetensors'

/**
 * Trains runs of two seeds, `whole/seed-0` and `whole/seed-1`, and kills a copy of each after two of three epochs:
 * `stopped` and `stopped-1`. Returns functions that copy and damage them. All paths are in the scratch folder.
 */
export function damagedRuns() {
  const scratch = scratchFolder()
  const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })
  beforeAll(async () => {
    tinyConfigs(scratch(), 3)
    for (const seed of ['0', '1'])
      await run('train', '--config', 'none.json', '--out', `whole/seed-${seed}`, '--seed', seed)
    await writeFile(scratch('stop.mjs'), killAtThirdCheckpoint)
    const env = { NODE_OPTIONS: `${saveEveryEpoch} --import=${scratch('stop.mjs')}` }
    for (const [out, seed] of [
      ['stopped', '0'],
      ['stopped-1', '1'],
    ] as const) {
      const args = ['train', '--config', 'none.json', '--out', out, '--seed', seed]
      const { code } = await eigenae(args, { cwd: scratch(), env })
      expect(code).not.toBe(0)
    }
  })
  return {
    scratch,
    run,
    resume: (folder: string, ...args: readonly string[]) =>
      run('train', '--config', 'none.json', '--out', folder, '--resume', ...args),
    copy: (from: string, to: string) => cp(scratch(from), scratch(to), { recursive: true }),
    edit: (file: string, change: (text: string) => string) =>
      writeFile(scratch(file), change(readFileSync(scratch(file), 'utf8'))),
    truncate: (file: string, bytes: number) => truncateSync(scratch(file), bytes),
    flipBit: (file: string) => {
      const bytes = readFileSync(scratch(file))
      bytes[bytes.length - 100]! ^= 1
      writeFileSync(scratch(file), bytes)
    },
  }
}

// Ends the process as kill -9 does before it replaces the checkpoint for the fourth time (epochs 0, 1, 2, 3).
const killAtThirdCheckpoint = `
import { createRequire, syncBuiltinESMExports } from 'node:module'
const fs = createRequire(import.meta.url)('node:fs/promises')
const { rename } = fs
let count = 0
fs.rename = (from, to) => {
  if (String(to).endsWith('state.safetensors') && ++count === 4) process.kill(process.pid, 'SIGKILL')
  return rename(from, to)
}
syncBuiltinESMExports()
`

export const withoutLastRow = (text: string) => `${text.trimEnd().split('\n').slice(0, -1).join('\n')}\n`

/** Changes a digit of the second epoch's first metric. */
export const withChangedDigit = (text: string) =>
  text.replace(/(?<=^2,0\.\d*)\d(?=,)/m, (digit) => String(9 - Number(digit)))
