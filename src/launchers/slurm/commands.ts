import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { EigenaeError, hasCode, usageError } from '../../errors.js'

/** One task of a job array in the output of squeue. */
export interface Task {
  /** Array and index, in the notation of scancel and scontrol: "12_3". */
  readonly id: string
  readonly index: number
  /** The number by which Slurm's own messages refer to it. */
  readonly jobId: string
  /** PENDING, RUNNING, COMPLETED, FAILED … */
  readonly state: string
  /** Why it is waiting, or how it ended. */
  readonly reason: string
  readonly node: string
  /** The status that wait(2) returns: 256 times the exit code, or the signal. */
  readonly waitStatus: number
  readonly comment: string
}

const fields = ['ArrayJobID', 'ArrayTaskID', 'JobID', 'State', 'Reason', 'NodeList', 'exit_code', 'Comment']

/** Returns the user's array tasks, including those that ended recently; null if Slurm does not answer or the signal is aborted. */
export async function listTasks(signal?: AbortSignal): Promise<readonly Task[] | null> {
  const format = fields.map((field) => `${field}:|`).join(',')
  const args = ['--me', '--noheader', '--array', '--states=all', '-O', format]
  const output = await run('squeue', args, signal).catch(() => null)
  return output === null ? null : output.split('\n').flatMap(parseTask)
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

/** Submits a script and returns the array's number. @throws EigenaeError with the message of sbatch. */
export async function submit(script: string, options: readonly string[]): Promise<string> {
  const output = await run('sbatch', ['--parsable', ...options, script]).catch((error: Error) => {
    throw new EigenaeError({
      problem: `sbatch refused the jobs: ${error.message}`,
      subject: script,
      hint: 'Correct the options (--partition, --time, --mem, --gpus-per-run, --sbatch-arg), then use --resume.',
    })
  })
  // A site's own sbatch may print a greeting before the number.
  const [, number] = /^(\d+)(?:;.*)?$/.exec(output.trim().split('\n').at(-1)!) ?? []
  if (number !== undefined) return number
  throw new EigenaeError({
    problem: `sbatch accepted the jobs but printed no job ID: ${output.trim()}`,
    subject: script,
    hint: 'Check squeue --me; --resume follows the tasks that are running.',
  })
}

/** Cancels tasks: each gets SIGTERM and time to save. Returns the error of scancel, null if there is none. */
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

/** Returns the largest number of tasks in an array, or Slurm's default if the configuration does not set it. */
export async function maxArraySize(): Promise<number> {
  const config = await run('scontrol', ['show', 'config']).catch(() => '')
  // MaxArraySize is one more than the largest index.
  return Number(/^MaxArraySize\s*=\s*([1-9]\d*)/m.exec(config)?.[1] ?? 1001)
}

/** @throws a usage error if this machine is not part of a cluster. */
export async function requireSlurm(): Promise<void> {
  await run('scontrol', ['ping']).catch((error: Error) => {
    throw usageError({
      problem: `Slurm cannot be reached: ${error.message}`,
      subject: '--launcher slurm',
      hint: 'Start the sweep on a machine on which sbatch and squeue work, or use --launcher local.',
    })
  })
}

/** @throws Error with the last line of the command's messages, or with why it could not be started. */
async function run(command: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  try {
    const options = { maxBuffer: 2 ** 28, timeout: 120_000, ...(signal && { signal }) }
    const { stdout } = await promisify(execFile)(command, [...args], options)
    return stdout
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new Error(`the command ${command} was not found`)
    const { stderr = '', message } = error as Error & { stderr?: string }
    throw new Error(stderr.trim().split('\n').at(-1) || message)
  }
}
