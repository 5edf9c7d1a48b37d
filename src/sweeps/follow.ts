import { stat } from 'node:fs/promises'
import type { SweepRun } from '../launchers/launcher.js'
import { runFiles } from '../runs/files.js'
import { readMetrics } from '../runs/read.js'
import type { MetricsRow } from '../runs/tables.js'

const pollMilliseconds = 500

interface FollowedRun {
  readonly run: SweepRun
  /** Bytes of metrics.csv at the last poll. */
  size: number
  /** The last epoch that was reported. */
  epoch: number
}

/** Reports the new epochs of running runs by polling their folders, which works for every launcher. */
export class EpochFollower {
  readonly #followed = new Map<string, FollowedRun>()
  readonly #onRow: (run: SweepRun, row: MetricsRow) => void
  #timer: NodeJS.Timeout | undefined
  /** The reads of files, which are done one after another however slow the disk is. */
  #reads = Promise.resolve()

  constructor(onRow: (run: SweepRun, row: MetricsRow) => void) {
    this.#onRow = onRow
  }

  add(run: SweepRun): void {
    const followed = { run, size: 0, epoch: 0 }
    this.#followed.set(run.name, followed)
    // The epochs of earlier attempts have been reported.
    this.#reads = this.#reads.then(async () => {
      followed.epoch = readRows(run.folder).at(-1)?.epoch ?? 0
    })
    this.#timer ??= setInterval(() => this.#poll(), pollMilliseconds)
  }

  remove(run: SweepRun): void {
    this.#followed.delete(run.name)
  }

  /** Stops following a run that has ended, and returns its rows that were not reported. */
  async finish(run: SweepRun): Promise<readonly MetricsRow[]> {
    const followed = this.#followed.get(run.name)
    this.#followed.delete(run.name)
    if (followed === undefined) return []
    await this.#reads
    return readRows(run.folder).filter(({ epoch }) => epoch > followed.epoch)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#followed.clear()
  }

  #poll(): void {
    this.#reads = this.#reads.then(async () => {
      for (const followed of [...this.#followed.values()]) await this.#reportNewRows(followed)
    })
  }

  async #reportNewRows(followed: FollowedRun): Promise<void> {
    const { run } = followed
    const size = await stat(runFiles(run.folder).metrics).then(
      (file) => file.size,
      () => followed.size,
    )
    // If the run has ended meanwhile, `finish` returns its new rows.
    if (size === followed.size || this.#followed.get(run.name) !== followed) return
    followed.size = size
    for (const row of readRows(run.folder).filter(({ epoch }) => epoch > followed.epoch)) {
      followed.epoch = row.epoch
      this.#onRow(run, row)
    }
  }
}

/** Returns the rows that a run has written; none if they cannot be read, as while a resume replaces the file. */
export function readRows(folder: string): readonly MetricsRow[] {
  try {
    return readMetrics(runFiles(folder).metrics)
  } catch {
    return []
  }
}
