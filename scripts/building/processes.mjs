// Runs compilers as child processes, several at once.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** An error whose message alone is printed, without a stack trace. */
export class BuildError extends Error {}

/** Passes the tool's output on to stderr. @throws BuildError with its first lines and the hint. */
export function runTool(command, args, { hint, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) {
        if (output) console.error(output.trimEnd())
        return resolve()
      }
      const firstLines = output.trim().split('\n').slice(0, 12)
      const failure = `${command} failed`
      reject(new BuildError([...firstLines, hint?.(failure) ?? failure].join('\n')))
    })
  })
}

/** Runs work(item, index) for all items, by default one per core at a time. The results are in the order of the items. */
export async function inParallel(items, work, atOnce = availableParallelism()) {
  const results = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i], i)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}
