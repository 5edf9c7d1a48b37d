/** The form in which the server sends a folder's state, which monitor.ts keeps, to the page and the terminal, as JSON. */
import { clock, significant } from '../../text/format.js'
import type { ReportData } from '../report/report-format.js'

/** "waiting" is a run of a sweep's plan that has not begun. Runs that need attention come first. */
export const statuses = ['running', 'completed', 'failed', 'interrupted', 'damaged', 'waiting'] as const
export type WatchedStatus = (typeof statuses)[number]

/** One run. */
export interface RunRow {
  /** The run's folder, relative to the watched one. */
  readonly name: string
  readonly status: WatchedStatus
  readonly epoch: number
  /** The number of epochs to train; null if the run has not begun. */
  readonly epochs: number | null
  /** Mean over its last epochs, evaluation included; null before the first epoch. */
  readonly secondsPerEpoch: number | null
  /** From the start to the end of a completed run, else null. */
  readonly seconds: number | null
  readonly testMse: number | null
  readonly effectiveRank: number | null
  /** The test MSE of up to `historyLength` epochs. */
  readonly history: readonly number[]
  /** Why the run failed, was interrupted or is damaged, else null. */
  readonly reason: string | null
}

export const historyLength = 24

export interface FolderSummary {
  readonly counts: Readonly<Record<WatchedStatus, number>>
  /** Mean over the running runs, or over the completed ones if none is running; null if unknown. */
  readonly secondsPerEpoch: number | null
  /** Until all running and waiting runs are complete, with as many at once as now; null if unknown. */
  readonly secondsLeft: number | null
  /** The sweeps in the folder. */
  readonly sweeps: readonly SweepState[]
  /** Run folders that are not read yet, while the watch starts; null before it has listed them. */
  readonly unread: number | null
  /** Folders that cannot be read and damaged plans of sweeps, one line each. */
  readonly unreadable: readonly string[]
}

export interface SweepState {
  readonly name: string
  /** Relative to the watched folder. */
  readonly folder: string
  /** Whether the process that made the sweep still follows it. One on a cluster can run without. */
  readonly followed: boolean
  /** The number of planned runs. */
  readonly runs: number
  /** The number of planned runs that are not complete. */
  readonly left: number
}

/** Returns the number of runs, and "2 completed · 1 failed". */
export function countsOf({ counts }: FolderSummary): { readonly total: number; readonly words: string } {
  const present = statuses.filter((status) => counts[status] > 0)
  return {
    total: present.reduce((sum, status) => sum + counts[status], 0),
    words: present.map((status) => `${counts[status]} ${status}`).join(' · '),
  }
}

export function paceTexts({ unread, secondsLeft, secondsPerEpoch }: FolderSummary): readonly string[] {
  return [
    ...(unread === null ? ['looking for runs …'] : []),
    ...(unread ? [`reading ${unread} more runs …`] : []),
    ...(secondsLeft === null ? [] : [`about ${clock(secondsLeft)} left`]),
    ...(secondsPerEpoch === null ? [] : [`${significant(secondsPerEpoch, 3)} s per epoch`]),
  ]
}

/** Returns a text for each sweep. If one sweep made all runs, the title names it, and the counts are those of the folder. */
export function sweepTexts({ sweeps }: FolderSummary): readonly string[] {
  const isOnly = sweeps.length === 1 && sweeps[0]!.folder === '.'
  return sweeps.flatMap(({ name, runs, left, followed }) => {
    if (isOnly && left === 0) return []
    if (isOnly)
      return followed ? 'the sweep is running' : 'no sweep is running to start the runs that are left'
    if (left === 0) return `${name}: all ${runs} runs are complete`
    return `${name}: ${left} of ${runs} runs left, ${followed ? 'and the sweep is running' : 'but no sweep is running to start them'}`
  })
}

/** A change since the last message; the first message has all runs. */
export interface FolderUpdate {
  readonly summary: FolderSummary
  readonly changed: readonly RunRow[]
  /** The names of runs whose folders were removed. */
  readonly removed: readonly string[]
}

/** The machine on which the watch runs. */
export interface MachineState {
  /** Empty without nvidia-smi. */
  readonly gpus: readonly GpuState[]
  /** The user's jobs on a Slurm cluster; null if there is no Slurm. */
  readonly slurm: SlurmState | null
}

export interface GpuState {
  readonly index: string
  readonly name: string
  /** Percent; null if not reported, as may be the other numbers. */
  readonly utilisation: number | null
  readonly usedMiB: number | null
  readonly totalMiB: number | null
  /** °C. */
  readonly temperature: number | null
}

export interface SlurmState {
  /** The number of tasks by their states, "RUNNING" or "PENDING", the most frequent first. */
  readonly states: readonly Tally[]
  /** The number of pending tasks by their reasons. */
  readonly reasons: readonly Tally[]
  /** The nodes with running tasks. */
  readonly nodes: readonly string[]
}

export interface Tally {
  readonly name: string
  readonly count: number
}

export function slurmText({ states, reasons }: SlurmState): string {
  const list = (tallies: readonly Tally[]) => tallies.map(({ name, count }) => `${count} ${name}`).join(', ')
  return `Slurm: ${list(states) || 'no tasks'}${reasons.length > 0 ? `; pending: ${list(reasons)}` : ''}`
}

/** The part of the page that shows results. */
export interface LiveReport {
  /** The legend, the warnings and the sections, without their data. */
  readonly html: string
  readonly contents: readonly { readonly id: string; readonly title: string }[]
  readonly data: ReportData
}
