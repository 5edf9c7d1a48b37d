import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { EigenaeError, hasCode, usageError } from '../../errors.js'

/** One task of a job array as squeue shows it. */
export interface Task {
  /** Array and task, as scancel and scontrol take it: "12_3". */
  readonly id: string
  readonly index: number
  /** The number that Slurm's own messages give it. */
  readonly jobId: string
  /** PENDING, RUNNING, COMPLETED, FAILED … */
  readonly state: string
  /** Why it waits, or how it ended. */
  readonly reason: string
  readonly node: string
  /** As wait(2) gives it: the exit code times 256, or the signal. */
  readonly waitStatus: number
  readonly comment: string
}

const fields = ['ArrayJobID', 'ArrayTaskID', 'JobID', 'State', 'Reason', 'NodeList', 'exit_code', 'Comment']

/** The user's array tasks, those that ended a moment ago included; null where Slurm does not answer now. */
export async function listTasks(): Promise<readonly Task[] | null> {
  const format = fields.map((field) => `${field}:|`).join(',')
  try {
    const output = await run('squeue', ['--me', '--noheader', '--array', '--states=all', '-O', format])
    return output.split('\n').flatMap(parseTask)
  } catch (error) {
    if (error instanceof SlurmError) return null
    throw error
  }
}

function parseTask(line: string): readonly Task[] {
  const [array = '', index = '', jobId = '', ...more] = line.split('|')
  const [state = '', reason = '', node = '', status = '', ...comment] = more
  if (!/^\d+$/.test(index.trim())) return []
  return [
    {
      id: `${array.trim()}_${index.trim()}`,
      index: Number(index),
      jobId: jobId.trim(),
      state: state.trim(),
      reason: reason.trim(),
      node: node.trim(),
      waitStatus: Number(status) || 0,
      comment: comment.join('|').replace(/\|$/, '').trim(),
    },
  ]
}

/** Submits a script and gives the array's number. @throws EigenaeError with what sbatch said. */
export async function submit(script: string, options: readonly string[]): Promise<string> {
  const output = await run('sbatch', ['--parsable', ...options, script]).catch((error) => {
    if (!(error instanceof SlurmError)) throw error
    throw new EigenaeError({
      problem: `sbatch refused the jobs: ${error.message}`,
      subject: script,
      hint: 'Mend the options (--partition, --time, --mem, --gpus-per-run, --sbatch-arg), then use --resume.',
    })
  })
  // A site's own sbatch may greet people before it.
  const [, number] = /^(\d+)(?:;.*)?$/.exec(output.trim().split('\n').at(-1)!) ?? []
  if (number !== undefined) return number
  throw new EigenaeError({
    problem: `sbatch took the jobs, it seems, but gave no number for them: ${output.trim()}`,
    subject: script,
    hint: 'Look at squeue --me; --resume takes up what is at work.',
  })
}

/** Ends tasks as Ctrl-C would: each gets SIGTERM and time to save. Gives what scancel says against it, null if nothing. */
export async function cancel(ids: readonly string[]): Promise<string | null> {
  let refusal: string | null = null
  // A command line has room for some thousand names.
  for (let start = 0; start < ids.length; start += 500) {
    await run('scancel', ids.slice(start, start + 500)).catch((error: Error) => {
      refusal = error.message
    })
  }
  return refusal
}

/** How many tasks an array may have; where Slurm does not say, as many as it allows without being told. */
export async function largestArray(): Promise<number> {
  const config = await run('scontrol', ['show', 'config']).catch(() => '')
  // MaxArraySize is one more than the largest index.
  return Number(/^MaxArraySize\s*=\s*([1-9]\d*)/m.exec(config)?.[1] ?? 1001)
}

/** @throws a usage error where this machine is no part of a cluster. */
export async function requireSlurm(): Promise<void> {
  try {
    await run('scontrol', ['ping'])
  } catch (error) {
    throw usageError({
      problem: `Slurm cannot be reached: ${(error as Error).message}`,
      subject: '--launcher slurm',
      hint: 'Start the sweep where sbatch and squeue work, or take --launcher local.',
    })
  }
}

class SlurmError extends Error {}

async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, [...args], { maxBuffer: 2 ** 28, timeout: 120_000 })
    return stdout
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new SlurmError(`the command ${command} is not here`)
    const { stderr = '', message } = error as Error & { stderr?: string }
    throw new SlurmError(stderr.trim().split('\n').at(-1) || message)
  }
}
