import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { dataFolder } from './idx.js'

/** Writes configs of runs that take little time: 200 images, a small network. */
export function tinyConfigs(folder: string, epochs: number) {
  const data = { source: dataFolder(join(folder, 'data')) }
  const base = { data, model: { widths: [784, 8, 4] }, train: { epochs, batchSize: 50 } }
  const eigen = { kind: 'top-k', k: 2 }
  writeJson(join(folder, 'none.json'), { name: 'none', ...base })
  writeJson(join(folder, 'eigen.json'), { name: 'eigen', ...base, loss: { eigen } })
  writeJson(join(folder, 'no-data.json'), { name: 'no-data', ...base, data: { source: '/nowhere' } })
}

export function writeJson(file: string, value: unknown): string {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify(value))
  return file
}

export function readJson(file: string) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

const files = [
  'config.json',
  'metrics.csv',
  'spectrum.csv',
  'layers.csv',
  'losses.csv',
  'evaluation.json',
  'model.safetensors',
]

/**
 * Expects the same bytes in all files of the runs that hold no times.
 * @param after the history of the runs, for the message of a failure
 */
export async function expectSameRuns(
  runs: readonly string[],
  folder: string,
  other: string,
  after = '',
): Promise<void> {
  for (const file of runs.flatMap((run) => files.map((name) => join(run, name)))) {
    const [bytes, expected] = await Promise.all([readFile(join(folder, file)), readFile(join(other, file))])
    expect(bytes.equals(expected), `${file} ${after}`).toBe(true)
  }
}

/** Less than the timeout of a test, so that its failure names the missing event. */
const timeoutMilliseconds = 150_000

/** Polls until `check` returns a value other than null, ignoring its errors. */
export async function until<T>(check: () => T | null | Promise<T | null>, what: string): Promise<T> {
  const began = performance.now()
  while (performance.now() - began < timeoutMilliseconds) {
    const found = await Promise.resolve()
      .then(check)
      .catch(() => null)
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`timed out waiting for ${what}`)
}

/** Sends a signal to a process that may have ended by itself. */
export function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {}
}

/** Returns the process that writes into a run folder, once it has trained the given number of epochs. */
export function writerOf(run: string, epochs = 1): Promise<number> {
  return until(() => {
    const rows = readFileSync(join(run, 'metrics.csv'), 'utf8').split('\n').length - 2
    return rows >= epochs ? (readJson(join(run, '.lock')).pid as number) : null
  }, `epoch ${epochs} of ${run}`)
}
