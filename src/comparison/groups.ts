import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { usageError, withFileErrors } from '../errors.js'
import { findRunFolders, type Run, readRun } from '../runs/read.js'
import type { MetricsRow } from '../runs/tables.js'

/** Runs that count as one arm: a run alone, or the runs of a folder over their seeds. */
export interface Group {
  readonly name: string
  /** Completed runs only. */
  readonly runs: readonly Run[]
  /** Folders of runs that are not complete, and so are left out. */
  readonly leftOut: readonly string[]
}

/** Mean and sample standard deviation; the latter null for one value. */
export interface Statistic {
  readonly mean: number
  readonly standardDeviation: number | null
}

export type Metric = Exclude<keyof MetricsRow, 'epoch'>

/**
 * The groups that the arguments of `compare` name. A run folder is a group of one; a folder of runs is a group; a
 * folder of such folders stands for each of them.
 * @throws a usage error where a folder holds no completed run.
 */
export async function readGroups(folders: readonly string[]): Promise<readonly Group[]> {
  const names = (await Promise.all(folders.map(groupFolders))).flat()
  return Promise.all([...new Set(names)].map(readGroup))
}

async function groupFolders(folder: string): Promise<readonly string[]> {
  const entries = await withFileErrors('read the folder', folder, () =>
    readdir(folder, { withFileTypes: true }),
  )
  if (entries.some((entry) => entry.name === 'run.json')) return [folder]
  const runs = await findRunFolders(folder)
  if (runs.length === 0) {
    throw usageError({ what: 'holds no run', where: folder, mend: 'Name a run folder, or a folder of runs.' })
  }
  const parents = new Set(runs.map((run) => join(run, '..')))
  return [...parents]
}

async function readGroup(name: string): Promise<Group> {
  const runs = await Promise.all((await findRunFolders(name)).map(readRun))
  const completed = runs.filter((run) => run.status === 'completed')
  if (completed.length === 0) {
    throw usageError({
      what: 'holds no completed run',
      where: name,
      details: runs.map((run) => `${run.folder}: ${run.status}`),
      mend: 'Finish it with eigenae train … --resume.',
    })
  }
  return {
    name,
    runs: completed,
    leftOut: runs.filter((run) => !completed.includes(run)).map((run) => run.folder),
  }
}

/** Of the last epoch's value, over the group's runs. */
export function statisticOf(group: Group, metric: Metric): Statistic {
  const values = group.runs.map((run) => run.metrics.at(-1)![metric])
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  if (values.length < 2) return { mean, standardDeviation: null }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, standardDeviation: Math.sqrt(squares / (values.length - 1)) }
}
