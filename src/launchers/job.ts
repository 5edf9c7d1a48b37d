import { join } from 'node:path'
import { appendToLog } from '../files/append.js'
import { makeFolder } from '../files/folder.js'
import { readTextIfPresent } from '../files/read.js'
import { jsonText, writeDurably } from '../files/write.js'
import { packageRoot } from '../package-root.js'
import { runFiles } from '../runs/files.js'
import type { LaunchJob } from './launcher.js'

const cli = [process.execPath, join(packageRoot, 'bin', 'eigenae.js')]

/** Prints the device that "auto" means on this machine. */
export const deviceCommand = [...cli, 'sweep-device']

/** Makes one run after another: each that runner.ts sends it. */
export const runnerCommand = [...cli, 'sweep-runner']

/** The command of one run on a cluster: eigenae itself, with the config that lies in the folder already. */
export function jobCommand(folder: string, threads: number): readonly string[] {
  return [...cli, 'sweep-job', folder, '--threads', String(threads)]
}

/** The config is there before the run starts: whatever happens to it, the folder says what it was to be. */
export async function prepareJob({ folder, config }: LaunchJob): Promise<void> {
  const files = runFiles(folder)
  await makeFolder(folder)
  const wanted = jsonText(config)
  if (readTextIfPresent(files.config) !== wanted) await writeDurably(files.config, wanted)
}

const attemptMark = '--- attempt'

/** The first line of an attempt in a run's log. */
export function beginLog({ folder }: LaunchJob): void {
  appendToLog(runFiles(folder).log, `${attemptMark} ${new Date().toISOString()}\n`)
}

/** The same line, written by a shell where the job runs. */
export const beginLogInShell = `echo "${attemptMark} $(date -u +%FT%TZ) on $(hostname)"`

/** What the last attempt said. */
export function lastAttempt(log: string): string {
  const start = log.lastIndexOf(attemptMark)
  return start < 0 ? log : log.slice(log.indexOf('\n', start) + 1)
}
