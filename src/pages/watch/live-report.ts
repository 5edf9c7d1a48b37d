/** The report of a folder in which runs are still training: a comparison, but its pictures also have the runs that train. */
import { readArms } from '../../comparison/arms.js'
import { compareArms } from '../../comparison/compare.js'
import type { Arm, ArmRuns, Comparison } from '../../comparison/comparison.js'
import { warningsOf } from '../../comparison/warnings.js'
import { EigenaeError, knownError } from '../../errors.js'
import { comparisonCharts } from '../../plots/comparison-pictures.js'
import { drawnOf } from '../../plots/drawn.js'
import { readWholeRun, type WholeRun } from '../../runs/read.js'
import { html } from '../html.js'
import { reportData, tableIds } from '../report/report-data.js'
import { legend, resultSections, sectionHtml, warningsBox } from '../report/report-page.js'
import type { Monitor } from './monitor.js'
import type { LiveReport } from './watch-format.js'

/** Compares the completed runs. An arm may have none. Null as long as no run has completed an epoch. */
export async function compareCompleted({ folder, runs }: Monitor): Promise<Comparison | null> {
  if (runs.size === 0) return null
  const read = await readArms([folder], undefined, {
    runsNamed: async () => ({ runs: [...runs.keys()], unreadable: [] }),
    readRun: async (run) => {
      const found = runs.get(run)!
      if (found instanceof EigenaeError) throw found
      return found
    },
  })
  const measured = read.arms.filter((arm) => measuredRuns(arm).length > 0 && !read.stopped.includes(arm))
  if (measured.length === 0) return null
  const complete = measured.filter((arm) => arm.runs.length > 0)
  // The page lists the runs that are not complete.
  const warnings = warningsOf(
    complete.map((arm) => ({ ...arm, leftOut: [] })),
    [],
  )
  return compareArms(read, measured, warnings)
}

function measuredRuns({ runs, leftOut }: ArmRuns): readonly WholeRun[] {
  return [...runs, ...leftOut].filter(({ metrics }) => metrics.length > 0)
}

// The number of runs of a drawn arm whose spectra are read for all epochs.
const mostWhole = 40

/** Makes the reports of a watched folder. Runs that have not changed are not read again. */
export class LiveReports {
  readonly #monitor: Monitor
  /** Runs of the monitor, which has only their last spectrum, with their spectra of all epochs. */
  readonly #whole = new WeakMap<WholeRun, WholeRun>()

  constructor(monitor: Monitor) {
    this.#monitor = monitor
  }

  /** Returns the report, null as long as no run has completed an epoch. */
  async make(): Promise<LiveReport | null> {
    const completed = await compareCompleted(this.#monitor)
    if (completed === null) return null
    const drawn = await this.#withRunning(completed)
    const charts = comparisonCharts(drawn)
    const sections = resultSections(completed, charts)
    const data = reportData(completed, charts, drawn)
    // The page has a list of the runs of its own.
    const { [tableIds.runs]: _, ...tables } = data.tables
    return {
      html: html`${warningsBox(completed)}${legend(drawn)}${sections.map(sectionHtml)}`.text,
      contents: sections.map(({ id, title }) => ({ id, title })),
      data: { ...data, tables },
    }
  }

  /** Returns the comparison of the pictures: its arms also have the runs that are not complete. */
  async #withRunning(completed: Comparison): Promise<Comparison> {
    const drawn = new Set(drawnOf(completed))
    const arms = new Map<Arm, Arm>()
    for (const arm of completed.arms) {
      const runs = measuredRuns(arm)
      const isWhole = (index: number) => drawn.has(arm) && index < mostWhole
      const read = runs.map((run, index) => (isWhole(index) ? this.#withSpectra(run) : run))
      arms.set(arm, { ...arm, runs: await Promise.all(read) })
    }
    return {
      ...completed,
      arms: [...arms.values()],
      baseline: arms.get(completed.baseline)!,
      dropped: [],
      results: completed.results.map((result) => ({ ...result, arm: arms.get(result.arm)! })),
    }
  }

  /** Reads the spectra of all epochs. A run that was removed or is being written stays as it was read last. */
  async #withSpectra(run: WholeRun): Promise<WholeRun> {
    const known = this.#whole.get(run)
    if (known !== undefined) return known
    const whole = await readWholeRun(run.folder).catch((error) => {
      knownError(error)
      return run
    })
    this.#whole.set(run, whole)
    return whole
  }
}
