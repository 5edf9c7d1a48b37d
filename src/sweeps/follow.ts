import { stat } from 'node:fs/promises'
import type { LaunchJob } from '../launchers/launcher.js'
import { runFiles } from '../runs/files.js'
import { readMetrics } from '../runs/read.js'
import type { MetricsRow } from '../runs/tables.js'

const lookMilliseconds = 500

interface Followed {
  readonly job: LaunchJob
  size: number
  epoch: number
}

/** Tells the epochs of running jobs, by what their folders hold: the same wherever they run. */
export class Follower {
  readonly #running = new Map<string, Followed>()
  readonly #onRow: (job: LaunchJob, row: MetricsRow) => void
  #timer: NodeJS.Timeout | undefined
  #looking = Promise.resolve()

  constructor(onRow: (job: LaunchJob, row: MetricsRow) => void) {
    this.#onRow = onRow
  }

  add(job: LaunchJob): void {
    const followed = { job, size: 0, epoch: 0 }
    this.#running.set(job.name, followed)
    // Epochs of an earlier attempt are no news.
    this.#looking = this.#looking.then(async () => {
      followed.epoch = (await rowsOf(job.folder)).at(-1)?.epoch ?? 0
    })
    this.#timer ??= setInterval(() => this.#look(), lookMilliseconds)
  }

  remove(job: LaunchJob): void {
    this.#running.delete(job.name)
  }

  /** The rows of a run that has ended which were not told before; it is followed no further. */
  async finish(job: LaunchJob): Promise<readonly MetricsRow[]> {
    const followed = this.#running.get(job.name)
    this.#running.delete(job.name)
    if (followed === undefined) return []
    await this.#looking
    return newRows(followed).catch(() => [])
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#running.clear()
  }

  /** One look at a time, however slow the disk is. */
  #look(): void {
    this.#looking = this.#looking.then(async () => {
      for (const followed of [...this.#running.values()]) await this.#lookAt(followed)
    })
  }

  /** A file that is being replaced, or cut back at a resume, is read at the next look. */
  async #lookAt(followed: Followed): Promise<void> {
    try {
      const { metrics } = runFiles(followed.job.folder)
      const { size } = await stat(metrics)
      if (size === followed.size) return
      followed.size = size
      const rows = await newRows(followed)
      // It may have ended meanwhile: `finish` gives these rows then.
      if (this.#running.get(followed.job.name) !== followed) return
      followed.epoch = rows.at(-1)?.epoch ?? followed.epoch
      for (const row of rows) this.#onRow(followed.job, row)
    } catch {}
  }
}

async function newRows({ job, epoch: told }: Followed): Promise<readonly MetricsRow[]> {
  const rows = readMetrics(runFiles(job.folder).metrics)
  return rows.filter(({ epoch }) => epoch > told)
}

/** The rows that a run has written; none if they cannot be read. */
export async function rowsOf(folder: string): Promise<readonly MetricsRow[]> {
  try {
    return readMetrics(runFiles(folder).metrics)
  } catch {
    return []
  }
}
