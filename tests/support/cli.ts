import { type ChildProcess, spawn } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll } from 'vitest'

const root = join(import.meta.dirname, '../..')
const bin = join(root, 'bin/eigenae.js')
const bundle = pathToFileURL(join(root, 'dist/bundled/cli.js')).href

/** The commands that `eigenae` runs in the process of the tests. */
export const calledCommands: readonly string[] =
  'train sweep compare best plot eval embed export explore runs verify data'.split(' ')

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
  const child = spawn(process.execPath, [bin, ...args], { cwd: cwd ?? root, env: { ...process.env, ...env } })
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

/**
 * Runs the command line: the usual commands in this process, which saves the start of one, and the others in a process of
 * their own, as with an environment of its own.
 */
export function eigenae(args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  const canBeCalled = args[0] !== undefined && calledCommands.includes(args[0])
  return canBeCalled && options.env === undefined ? call(args, options) : start(args, options).finished
}

/** Resolves when the last call has ended. Calls wait for each other, because they share a folder and two streams. */
let lastCall: Promise<unknown> = Promise.resolve()

/**
 * Runs the command line in this process. Its environment must be one that is read by each command, unlike NODE_OPTIONS and
 * EIGENAE_ISA, which are read only once.
 */
export function call(
  args: readonly string[],
  { cwd = root, env = {} }: StartOptions = {},
): Promise<Finished> {
  const called = lastCall.then(async () => {
    const { main } = (await import(bundle)) as { main: (argv: readonly string[]) => Promise<number> }
    const argv = [process.execPath, bin, ...args]
    const restorations = [enter(cwd), keepListeners(), replaceArgv(argv), setVariables(env)]
    const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)]
    try {
      const code = await main(argv)
      return { code, signal: null, stdout: stdout.text(), stderr: stderr.text() }
    } finally {
      for (const restore of [stdout.restore, stderr.restore, ...restorations]) restore()
    }
  })
  lastCall = called.catch(() => {})
  return called
}

function enter(folder: string): () => void {
  const before = process.cwd()
  process.chdir(folder)
  return () => process.chdir(before)
}

function setVariables(variables: NonNullable<StartOptions['env']>): () => void {
  const before = { ...process.env }
  Object.assign(process.env, variables)
  return () => {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  }
}

/** A run records the command line of its process. */
function replaceArgv(argv: readonly string[]): () => void {
  const before = process.argv
  process.argv = [...argv]
  return () => {
    process.argv = before
  }
}

/** Returns a function that removes the listeners that a command adds for the rest of its process. */
function keepListeners(): () => void {
  const kept: readonly (readonly [EventEmitter, string])[] = [
    [process, 'uncaughtException'],
    [process.stdout, 'error'],
    [process.stderr, 'error'],
  ]
  const before = kept.map(([emitter, event]) => emitter.listeners(event))
  return () => {
    for (const [index, [emitter, event]] of kept.entries()) {
      const added = emitter.listeners(event).filter((listener) => !before[index]!.includes(listener))
      for (const listener of added) emitter.off(event, listener as () => void)
    }
  }
}

/** Collects what is written to a stream instead of writing it. */
function capture(stream: NodeJS.WriteStream) {
  const { write } = stream
  let text = ''
  stream.write = (chunk: string | Uint8Array) => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
    return true
  }
  const restore = () => {
    stream.write = write
  }
  return { text: () => text, restore }
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
