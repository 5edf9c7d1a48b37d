import { constants } from 'node:os'
import { runFiles } from '../../runs/files.js'
import { type Inspection, inspectRun } from '../../runs/inspect.js'
import type { Outcome } from '../launcher.js'
import { type Ending, outcomeOf } from '../outcome.js'
import type { ArrayFiles } from './arrays.js'
import type { Task } from './commands.js'

/** `passing`: it has failed, or Slurm queues it again a moment later. */
export type Phase = 'waiting' | 'running' | 'passing' | 'ended'

const runningStates = new Set(['RUNNING', 'COMPLETING', 'SUSPENDED', 'STOPPED', 'SIGNALING', 'STAGE_OUT'])

/** Ends by themselves; every other end is a failure. */
const reasons: Readonly<Record<string, string>> = {
  OUT_OF_MEMORY: 'out of memory, says Slurm: give a run more with --mem',
  TIMEOUT: 'the time limit is over: give a run more with --time, or go on with --resume',
  NODE_FAIL: 'its node failed',
  BOOT_FAIL: 'its node did not boot',
  PREEMPTED: 'preempted, and not queued again by this partition',
  DEADLINE: 'its deadline is over',
}

const endStates = new Set([
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'REVOKED',
  'LAUNCH_FAILED',
  ...Object.keys(reasons),
])

/** In the words of slurmstepd. */
const outOfMemory = /exceeded memory limit|oom.kill/i

/** Of the script (arrays.ts), where it could not reach the run's own log. */
const ownMessage = /^eigenae: (task .+)$/m

/** States that Slurm may turn into a requeue a moment later. */
const passing = new Set(['NODE_FAIL', 'PREEMPTED'])

/** `last` is the state at the look before. */
export function phaseOf({ state }: Task, last: string | undefined): Phase {
  if (runningStates.has(state)) return 'running'
  if (!endStates.has(state)) return 'waiting'
  return passing.has(state) && last !== state ? 'passing' : 'ended'
}

/** What the end of a task means; `task` is null where Slurm has forgotten it. What the run folder says comes first. */
export async function taskOutcome(
  task: Task | null,
  folder: string,
  stopped: boolean,
  files: ArrayFiles,
): Promise<Outcome> {
  const run = inspected(folder)
  const record = run?.record
  if (record?.status === 'completed' && run?.damage.length === 0) return { kind: 'completed' }
  // Of a task that was cancelled before it began Slurm may show nothing more.
  if (stopped && (task === null || task.state === 'CANCELLED')) return { kind: 'interrupted' }
  if (task === null) return failed(record?.status === 'failed' ? record.error : 'its job is gone from Slurm')
  if (task.state === 'CANCELLED') return failed('cancelled in Slurm')
  const said = await files.messagesOf(task)
  if (task.state === 'OUT_OF_MEMORY' || outOfMemory.test(said)) return failed(reasons.OUT_OF_MEMORY!)
  const known = reasons[task.state]
  if (known !== undefined) return failed(known)
  const outcome = await outcomeOf(folder, endingOf(task.waitStatus), stopped, `on ${task.node}`)
  if (outcome.kind === 'interrupted') return outcome
  // Exit code 0 without a completed run: the script was cut short, or the folder is another one there.
  const ended = outcome.kind === 'failed' ? outcome.reason : 'its job ended without completing the run'
  const why = ownMessage.exec(said)?.[1] ?? ended
  return { ...failed(`${why} (Slurm: ${task.reason})`), final: outcome.kind === 'failed' && outcome.final }
}

function inspected(folder: string): Inspection | null {
  try {
    return inspectRun(runFiles(folder), 'heads')
  } catch {
    return null
  }
}

function failed(reason: string): Extract<Outcome, { kind: 'failed' }> {
  return { kind: 'failed', reason, final: false }
}

function endingOf(waitStatus: number): Ending {
  const number = waitStatus % 128
  if (number === 0) return { kind: 'exit', code: Math.floor(waitStatus / 256) }
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
  return { kind: 'signal', signal: name ?? `signal ${number}` }
}
