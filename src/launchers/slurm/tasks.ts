import { constants } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { configText } from '../../config/schema.js'
import { EigenaeError, Interruption } from '../../errors.js'
import { isLocked } from '../../files/lock.js'
import { readTextIfPresent } from '../../files/read.js'
import { runFiles } from '../../runs/files.js'
import { type Inspection, inspectRun } from '../../runs/inspect.js'
import { count } from '../../text/format.js'
import { type Ending, outcomeOf } from '../attempt.js'
import type { LaunchEnd, LaunchWatcher, Outcome, SweepRun } from '../launcher.js'
import type { ArrayFiles } from './arrays.js'
import { cancel, listTasks, type Task } from './commands.js'

/** The interval between calls of squeue: short at first, then long enough for a cluster that many people share. */
const pollMilliseconds = { min: 300, max: 5000 }

const attachAttempts = 3

/** A task that squeue has not listed for this time is gone. Shorter gaps occur while Slurm restarts. */
const goneMilliseconds = 10_000

/** Whether the tasks are to be cancelled, and whether scancel has succeeded. */
type Stopping = 'no' | 'requested' | 'cancelled'

interface FollowedTask {
  readonly run: SweepRun
  readonly id: string
  started: boolean
  /** From the last poll; null if squeue did not list the task. */
  task: Task | null
  /** When squeue first stopped listing the task; null if it did at the last poll. */
  missingSince: number | null
}

/** Follows array tasks by polling squeue until each has ended. */
export class TaskFollower {
  readonly #watcher: LaunchWatcher
  readonly #files: ArrayFiles
  /** The tasks that have not ended, by id. */
  readonly #open = new Map<string, FollowedTask>()
  readonly #began = performance.now()
  /** The contents of the last note about each topic, so that none is repeated. */
  readonly #noted = { waiting: '', silence: '', refusal: '' }

  constructor(watcher: LaunchWatcher, files: ArrayFiles) {
    this.#watcher = watcher
    this.#files = files
  }

  /** Follows the tasks that Slurm already has for these runs, and returns those runs. */
  async attach(runs: readonly SweepRun[]): Promise<ReadonlySet<SweepRun>> {
    const tasks = await this.#requireTasks()
    const byFolder = new Map(runs.map((run) => [run.folder, run]))
    const attached = new Set<SweepRun>()
    for (const [task, folder] of await this.#files.foldersOf(tasks)) {
      const run = byFolder.get(folder)
      if (run === undefined || phaseOf(task, task.state) === 'ended') continue
      // The task of a shorter run that a halving has promoted, which is about to end.
      if (readTextIfPresent(runFiles(folder).config) !== configText(run.config)) continue
      this.#follow(run, task.id)
      attached.add(run)
    }
    return attached
  }

  /** @throws EigenaeError if Slurm does not answer: runs that it already has would be submitted again. */
  async #requireTasks(): Promise<readonly Task[]> {
    for (let attempt = 1; attempt <= attachAttempts; attempt++) {
      const tasks = await listTasks()
      if (tasks !== null) return tasks
      this.#noteSilence()
      await setTimeout(pollMilliseconds.max)
    }
    throw new EigenaeError({
      problem: 'squeue does not answer, so the runs that Slurm already has are unknown',
      subject: '--launcher slurm',
      hint: 'Try again with --resume.',
    })
  }

  /** Follows the tasks of a new array. */
  add(array: string, runs: readonly SweepRun[]): void {
    for (const [index, run] of runs.entries()) this.#follow(run, `${array}_${index}`)
  }

  #follow(run: SweepRun, id: string): void {
    this.#open.set(id, { run, id, started: false, task: null, missingSince: null })
  }

  /** Leaves the tasks to Slurm. */
  detach(): LaunchEnd {
    if (this.#open.size === 0) return 'detached'
    const arrays = [...new Set([...this.#open.keys()].map((id) => id.split('_')[0]!))].join(' ')
    this.#watcher.onNote(
      `the jobs continue under Slurm: follow them with --resume, end them with scancel ${arrays}`,
    )
    return 'detached'
  }

  async followToEnd(stop: AbortSignal, onInterrupt: () => Promise<'cancel' | 'detach'>): Promise<LaunchEnd> {
    let stopping: Stopping = 'no'
    while (this.#open.size > 0) {
      if (stop.aborted && stopping === 'no') {
        const byUser = stop.reason instanceof Interruption
        if (byUser && (await onInterrupt()) === 'detach') return this.detach()
        stopping = 'requested'
      }
      if (stopping === 'requested' && (await this.#cancelAll())) stopping = 'cancelled'
      await this.#poll(stopping)
      if (this.#open.size > 0) await this.#pause(stopping === 'no' ? stop : undefined)
    }
    return 'ended'
  }

  /** Returns whether scancel succeeded. It fails for a task that has just ended, which is not listed at the next try. */
  async #cancelAll(): Promise<boolean> {
    const refusal = await cancel([...this.#open.keys()])
    this.#noteOnce('refusal', refusal ?? '', `scancel failed, trying again: ${refusal}`)
    return refusal === null
  }

  async #pause(stop: AbortSignal | undefined): Promise<void> {
    const { min, max } = pollMilliseconds
    const time = Math.min(max, Math.max(min, (performance.now() - this.#began) / 20))
    await setTimeout(time, undefined, stop && { signal: stop }).catch(() => undefined)
  }

  async #poll(stopping: Stopping): Promise<void> {
    const tasks = await listTasks()
    if (tasks === null) return this.#noteSilence()
    this.#noted.silence = ''
    const byId = new Map(tasks.map((task) => [task.id, task]))
    for (const followed of [...this.#open.values()]) {
      await this.#update(followed, byId.get(followed.id) ?? null, stopping)
    }
    this.#noteWaiting()
  }

  async #update(followed: FollowedTask, task: Task | null, stopping: Stopping): Promise<void> {
    const { run } = followed
    const phase =
      task !== null ? phaseOf(task, followed.task?.state) : await phaseOfUnlisted(followed, stopping)
    followed.task = task
    followed.missingSince = task === null ? (followed.missingSince ?? performance.now()) : null
    if (phase === 'waiting') {
      if (!followed.started || task === null) return
      followed.started = false
      this.#watcher.onRequeue(run, `requeued by Slurm: ${task.reason}`)
      return
    }
    if (!followed.started && task?.node) {
      followed.started = true
      this.#watcher.onStart(run, `${followed.id} on ${task.node}`)
    }
    if (phase !== 'ended') return
    this.#open.delete(followed.id)
    this.#watcher.onEnd(run, taskOutcome(task, run.folder, stopping !== 'no', this.#files))
  }

  /** One note for each set of reasons rather than for each task. */
  #noteWaiting(): void {
    const waiting = [...this.#open.values()].filter(({ started }) => !started)
    const reasons = [...new Set(waiting.map(({ task }) => task?.reason ?? 'None'))].filter(
      (reason) => reason !== 'None',
    )
    const text = reasons.sort().join(', ')
    const tasks = `${count(waiting.length, 'task')} ${waiting.length === 1 ? 'is' : 'are'}`
    this.#noteOnce('waiting', text, `${tasks} waiting: ${text}`)
  }

  #noteSilence(): void {
    this.#noteOnce('silence', 'silent', 'Slurm does not answer, trying again')
  }

  /** @param about what the note is about; empty for nothing */
  #noteOnce(topic: 'waiting' | 'silence' | 'refusal', about: string, text: string): void {
    if (about !== '' && about !== this.#noted[topic]) this.#watcher.onNote(text)
    this.#noted[topic] = about
  }
}

/** `undecided`: the task has failed, but Slurm may requeue it a moment later. */
type Phase = 'waiting' | 'running' | 'undecided' | 'ended'

const runningStates = new Set(['RUNNING', 'COMPLETING', 'SUSPENDED', 'STOPPED', 'SIGNALING', 'STAGE_OUT'])

/** The reasons of failures that a state alone explains. */
const failureReasons: Readonly<Record<string, string>> = {
  OUT_OF_MEMORY: 'out of memory according to Slurm: raise --mem',
  TIMEOUT: 'the time limit was reached: raise --time, or continue with --resume',
  NODE_FAIL: 'its node failed',
  BOOT_FAIL: 'its node did not boot',
  PREEMPTED: 'preempted, and this partition does not requeue it',
  DEADLINE: 'its deadline has passed',
}

const endStates = new Set([
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'REVOKED',
  'LAUNCH_FAILED',
  ...Object.keys(failureReasons),
])

const undecidedStates = new Set(['NODE_FAIL', 'PREEMPTED'])

/** @param previousState the state at the poll before */
function phaseOf({ state }: Task, previousState: string | undefined): Phase {
  if (runningStates.has(state)) return 'running'
  if (!endStates.has(state)) return 'waiting'
  return undecidedStates.has(state) && previousState !== state ? 'undecided' : 'ended'
}

/**
 * Slurm drops a task from its list minutes after the end, and lists a new one only a moment after its submission. A task
 * that scancel has ended is not listed again.
 */
async function phaseOfUnlisted(followed: FollowedTask, stopping: Stopping): Promise<Phase> {
  const { run, missingSince, started } = followed
  const isRecent = missingSince === null || performance.now() - missingSince < goneMilliseconds
  if (isRecent && stopping !== 'cancelled') return started ? 'running' : 'waiting'
  return (await isLocked(runFiles(run.folder).lock)) ? 'running' : 'ended'
}

/** A message of slurmstepd. */
const outOfMemory = /exceeded memory limit|oom.kill/i

/** A message of the script (arrays.ts) if it could not write to the run's log. */
const scriptMessage = /^eigenae: (task .+)$/m

/**
 * Returns the outcome of a task that has ended; the run folder takes precedence over Slurm.
 * @param task null if squeue no longer lists it
 */
function taskOutcome(task: Task | null, folder: string, stopped: boolean, files: ArrayFiles): Outcome {
  const run = inspectIfPossible(folder)
  const record = run?.record
  if (record?.status === 'completed' && run?.damage.length === 0) return { kind: 'completed' }
  // squeue may no longer list a task that was cancelled before it began.
  if (stopped && (task === null || task.state === 'CANCELLED')) return { kind: 'interrupted' }
  if (task === null)
    return failure(record?.status === 'failed' ? record.error : 'Slurm no longer lists its job')
  if (task.state === 'CANCELLED') return failure('cancelled in Slurm')
  const messages = files.messagesOf(task)
  if (task.state === 'OUT_OF_MEMORY' || outOfMemory.test(messages))
    return failure(failureReasons.OUT_OF_MEMORY!)
  const knownReason = failureReasons[task.state]
  if (knownReason !== undefined) return failure(knownReason)
  const outcome = outcomeOf(folder, endingOf(task.waitStatus), stopped, `on ${task.node}`)
  if (outcome.kind === 'interrupted') return outcome
  // Exit code 0 without a completed run: the script was cut short, or the node has another folder at this path.
  const reason = outcome.kind === 'failed' ? outcome.reason : 'its job ended without completing the run'
  const final = outcome.kind === 'failed' && outcome.final
  return { ...failure(`${scriptMessage.exec(messages)?.[1] ?? reason} (Slurm: ${task.reason})`), final }
}

/** Whatever a network file system reports, the run counts as incomplete. */
function inspectIfPossible(folder: string): Inspection | null {
  try {
    return inspectRun(runFiles(folder), 'heads')
  } catch {
    return null
  }
}

function failure(reason: string): Extract<Outcome, { kind: 'failed' }> {
  return { kind: 'failed', reason, final: false }
}

function endingOf(waitStatus: number): Ending {
  const number = waitStatus % 128
  if (number === 0) return { code: Math.floor(waitStatus / 256), signal: null }
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
  return { code: null, signal: name ?? `signal ${number}` }
}
