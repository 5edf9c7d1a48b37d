import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const bin = join(import.meta.dirname, '../../bin/eigenae.js')

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  readonly finished: Promise<Finished>
  /** Resolves once stderr contains the text. */
  readonly untilPrinted: (text: string) => Promise<void>
}

/** Processes that are still running. After a failed test some would never end. */
const running = new Set<ChildProcess>()

export interface StartOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts the command line in a process of its own. */
export function start(args: readonly string[], { cwd, env }: StartOptions = {}): Running {
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...process.env, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  running.add(child)
  const finished = new Promise<Finished>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal, stdout, stderr })
    })
  })
  const untilPrinted = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stderr.includes(text) && resolve()
      child.stderr.on('data', look)
      child.on('close', () => reject(new Error(`ended without printing "${text}": ${stderr}`)))
      look()
    })
  return { process: child, finished, untilPrinted }
}

export function eigenae(args: readonly string[], options?: StartOptions): Promise<Finished> {
  return start(args, options).finished
}

/** Creates a temporary folder for a test file. It is removed after the tests, and running processes are killed. */
export function scratchFolder(): (...names: readonly string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-test-'))
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  })
  return (...names) => join(folder, ...names)
}

export const configs = join(import.meta.dirname, '../../configs')

/** Returns the arguments of train for a config of configs/ with settings. */
export function trainArgs(config: string, out: string, ...settings: readonly string[]): string[] {
  return [
    'train',
    '--config',
    join(configs, config),
    '--out',
    out,
    ...settings.flatMap((each) => ['--set', each]),
  ]
}
