import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../package-root.js'
import type { RunFacts } from './record.js'

/** The version in package.json. */
export const version = packageVersion()

function packageVersion(): string {
  const text = readFileSync(join(packageRoot, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

let commit: Promise<string | null> | undefined

/** What run.json says of the place where a run is made. */
export type PlaceFacts = Pick<RunFacts, 'versions' | 'gitCommit' | 'host'>

export async function placeFacts(): Promise<PlaceFacts> {
  commit ??= gitCommit()
  return {
    versions: { eigenae: version, node: process.versions.node },
    gitCommit: await commit,
    host: hostname(),
  }
}

/** Of the folder the tool was started in, as it was started; null outside a repository or without git. */
async function gitCommit(): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', 'HEAD'])
    return stdout.trim()
  } catch {
    return null
  }
}
