import { setTimeout } from 'node:timers/promises'
import { EigenaeError, Interruption } from '../../errors.js'
import { isLocked } from '../../files/lock.js'
import { runFiles } from '../../runs/files.js'
import type { LaunchEnd, LaunchJob, LaunchWatcher } from '../launcher.js'
import type { ArrayFiles } from './arrays.js'
import { cancel, listTasks, type Task } from './commands.js'
import { type Phase, phaseOf, taskOutcome } from './states.js'

/** How often squeue is asked: soon at first, then rarely enough for a cluster that many share. */
const lookMilliseconds = { least: 300, most: 5000 }

const attachAttempts = 3

/** So long squeue must not show a task before it counts as gone: it may come up empty while Slurm restarts. */
const goneMilliseconds = 10_000

interface Followed {
  readonly job: LaunchJob
  readonly id: string
  started: boolean
  /** At the last look; null where squeue did not show the task. */
  task: Task | null
  /** Since when squeue does not show it; null where it did at the last look. */
  missingSince: number | null
}

/** Follows array tasks by squeue until each has ended. */
export class Following {
  readonly #watcher: LaunchWatcher
  readonly #files: ArrayFiles
  readonly #open = new Map<string, Followed>()
  readonly #began = performance.now()
  #notes: { waiting: string; silent: boolean; refusal: string | null } = {
    waiting: '',
    silent: false,
    refusal: null,
  }

  constructor(watcher: LaunchWatcher, files: ArrayFiles) {
    this.#watcher = watcher
    this.#files = files
  }

  /** Takes up the tasks that are at work on these jobs already, and gives their jobs. */
  async attach(jobs: readonly LaunchJob[]): Promise<ReadonlySet<LaunchJob>> {
    const tasks = await this.#tasksNow()
    const byFolder = new Map(jobs.map((job) => [job.folder, job]))
    const attached = new Set<LaunchJob>()
    for (const [task, folder] of await this.#files.foldersOf(tasks)) {
      const job = byFolder.get(folder)
      if (job === undefined || phaseOf(task, task.state) === 'ended') continue
      this.#follow(job, task.id)
      attached.add(job)
    }
    return attached
  }

  /** @throws EigenaeError where Slurm stays silent: a job that is at work would be submitted once more. */
  async #tasksNow(): Promise<readonly Task[]> {
    for (let attempt = 1; attempt <= attachAttempts; attempt++) {
      const tasks = await listTasks()
      if (tasks !== null) return tasks
      this.#noteSilence()
      await setTimeout(lookMilliseconds.most)
    }
    throw new EigenaeError({
      problem: 'squeue does not answer, so it is not known which of the runs are at work',
      subject: '--launcher slurm',
      hint: 'Try again with --resume.',
    })
  }

  add(array: string, jobs: readonly LaunchJob[]): void {
    for (const [index, job] of jobs.entries()) this.#follow(job, `${array}_${index}`)
  }

  #follow(job: LaunchJob, id: string): void {
    this.#open.set(id, { job, id, started: false, task: null, missingSince: null })
  }

  /** Lets the tasks go on alone. */
  leave(): LaunchEnd {
    if (this.#open.size === 0) return 'detached'
    const arrays = [...new Set([...this.#open.keys()].map((id) => id.split('_')[0]!))].join(' ')
    this.#watcher.onNote(
      `the jobs go on under Slurm: follow them with --resume, end them with scancel ${arrays}`,
    )
    return 'detached'
  }

  async toTheEnd(stop: AbortSignal, onInterrupt: () => Promise<'cancel' | 'detach'>): Promise<LaunchEnd> {
    let stopping: 'no' | 'asked' | 'cancelled' = 'no'
    while (this.#open.size > 0) {
      if (stop.aborted && stopping === 'no') {
        const byUser = stop.reason instanceof Interruption
        if (byUser && (await onInterrupt()) === 'detach') return this.leave()
        stopping = 'asked'
      }
      if (stopping === 'asked' && (await this.#cancelAll())) stopping = 'cancelled'
      await this.#look(stopping !== 'no')
      if (this.#open.size > 0) await this.#pause(stopping === 'no' ? stop : undefined)
    }
    return 'ended'
  }

  /** Whether Slurm took it. A task that ended meanwhile is refused, and is not there at the next try. */
  async #cancelAll(): Promise<boolean> {
    const refusal = await cancel([...this.#open.keys()])
    if (refusal !== null && refusal !== this.#notes.refusal)
      this.#watcher.onNote(`scancel says: ${refusal}; trying again`)
    this.#notes.refusal = refusal
    return refusal === null
  }

  async #pause(stop: AbortSignal | undefined): Promise<void> {
    const { least, most } = lookMilliseconds
    const time = Math.min(most, Math.max(least, (performance.now() - this.#began) / 20))
    await setTimeout(time, undefined, stop && { signal: stop }).catch(() => undefined)
  }

  async #look(cancelled: boolean): Promise<void> {
    const tasks = await listTasks()
    if (tasks === null) return this.#noteSilence()
    this.#notes.silent = false
    const byId = new Map(tasks.map((task) => [task.id, task]))
    for (const followed of [...this.#open.values()]) {
      await this.#update(followed, byId.get(followed.id) ?? null, cancelled)
    }
    this.#noteWaiting()
  }

  async #update(followed: Followed, task: Task | null, cancelled: boolean): Promise<void> {
    const phase = task !== null ? phaseOf(task, followed.task?.state) : await phaseUnseen(followed)
    followed.task = task
    followed.missingSince = task === null ? (followed.missingSince ?? performance.now()) : null
    if (phase === 'waiting') return this.#onWaiting(followed)
    if (!followed.started && task?.node) this.#onStart(followed, task.node)
    if (phase !== 'ended') return
    this.#open.delete(followed.id)
    this.#watcher.onEnd(followed.job, await taskOutcome(task, followed.job.folder, cancelled, this.#files))
  }

  #onStart(followed: Followed, node: string): void {
    followed.started = true
    this.#watcher.onStart(followed.job, `${followed.id} on ${node}`)
  }

  #onWaiting(followed: Followed): void {
    if (!followed.started || followed.task === null) return
    followed.started = false
    this.#watcher.onRequeue(followed.job, `queued again by Slurm: ${followed.task.reason}`)
  }

  /** Once for each set of reasons, not for each task. */
  #noteWaiting(): void {
    const waiting = [...this.#open.values()].filter(({ started }) => !started)
    const reasons = [...new Set(waiting.map(({ task }) => task?.reason ?? 'None'))].filter(
      (why) => why !== 'None',
    )
    const text = reasons.sort().join(', ')
    if (text !== '' && text !== this.#notes.waiting)
      this.#watcher.onNote(`${waiting.length} tasks wait: ${text}`)
    this.#notes.waiting = text
  }

  #noteSilence(): void {
    if (!this.#notes.silent) this.#watcher.onNote('Slurm does not answer now; asking again')
    this.#notes.silent = true
  }
}

/** Slurm forgets a task minutes after its end, and knows a new one a moment after its submission. */
async function phaseUnseen({ job, missingSince, started }: Followed): Promise<Phase> {
  const isNew = missingSince === null || performance.now() - missingSince < goneMilliseconds
  if (isNew) return started ? 'running' : 'waiting'
  return (await isLocked(runFiles(job.folder).lock)) ? 'running' : 'ended'
}
