/** The report of a folder in which runs are still training. */
import { type RunSource, readArms } from '../comparison/arms.js'
import type { Arm, Comparison } from '../comparison/comparison.js'
import { armLabels, labelArms } from '../comparison/labels.js'
import { resultsOf } from '../comparison/results.js'
import { commonSweep } from '../comparison/sweep-arms.js'
import { warningsOf } from '../comparison/warnings.js'
import { EigenaeError } from '../errors.js'
import { html } from '../pages/html.js'
import { drawnOf } from '../plots/chart.js'
import { comparisonCharts } from '../plots/comparison.js'
import { sectionHtml } from '../report/page.js'
import type { ReportData } from '../report/report-data.js'
import { legend, reportData, resultSections, type Section, warningsBox } from '../report/sections.js'
import { tableIds } from '../report/tables.js'
import { metrics } from '../runs/metrics.js'
import { readWholeRun, type WholeRun } from '../runs/read.js'
import type { Monitor } from './monitor.js'
import type { LiveReport } from './state.js'

// The number of runs of a drawn arm whose spectra are read for all epochs.
const mostWhole = 40

/** Makes the reports of a watched folder. Runs that have not changed are not read again. */
export class LiveReports {
  readonly #monitor: Monitor
  /** Runs of the drawn arms with their spectra of all epochs. */
  #whole = new Map<string, { readonly fingerprint: string; readonly run: WholeRun }>()

  constructor(monitor: Monitor) {
    this.#monitor = monitor
  }

  /** Returns the report, null as long as no run has completed an epoch. */
  async make(): Promise<LiveReport | null> {
    const comparison = await this.#compare(true)
    if (comparison === null) return null
    const { tables, pictures } = comparison
    const charts = comparisonCharts(pictures)
    const sections = resultSections(tables, charts)
    return {
      html: html`${warningsBox(tables)}${legend(pictures)}${sections.map(sectionHtml)}`.text,
      contents: sections.map(({ id, title }: Section) => ({ id, title })),
      data: withoutRuns(reportData(tables, charts, pictures)),
    }
  }

  /** Returns the comparison of the completed runs, whose arms may have none; null as long as no run has completed an epoch. */
  async completed(): Promise<Comparison | null> {
    return (await this.#compare(false))?.tables ?? null
  }

  /** Returns the comparison of the completed runs, and one whose arms also have the incomplete runs for the pictures. */
  async #compare(
    needsSpectra: boolean,
  ): Promise<{ readonly tables: Comparison; readonly pictures: Comparison } | null> {
    if (this.#monitor.runs.size === 0) return null
    const read = await readArms([this.#monitor.folder], undefined, this.#source())
    const measured = read.arms
      .map((arm) => ({ ...arm, runs: [...arm.runs, ...arm.leftOut].filter((run) => run.metrics.length > 0) }))
      .filter(({ runs }) => runs.length > 0)
    if (measured.length === 0) return null
    const baseline = Math.max(
      0,
      measured.findIndex(({ name }) => name === read.baseline.name),
    )
    const labels = armLabels(read.arms)
    const labelOf = new Map(read.arms.map((arm, index) => [arm.name, labels[index]!]))
    const labelled = labelArms(
      measured,
      new Map(measured.map((arm) => [arm, labelOf.get(arm.name)!])),
      measured[baseline]!,
    )
    const isMeasured = new Set(measured.map(({ name }) => name))
    const dropped = read.arms
      .filter(({ name }) => !isMeasured.has(name))
      .map((arm) => ({ ...arm, label: labelOf.get(arm.name)! }))
    const arms = labelled.map((arm) => ({ ...arm, runs: arm.runs.filter(isComplete) }))
    const results = metrics.flatMap((metric) => resultsOf(arms, metric))
    const sweep = commonSweep(arms)
    const drawn = needsSpectra ? await this.#withSpectra(labelled) : labelled
    const pictured = new Map<Arm, Arm>(arms.map((arm, index) => [arm, drawn[index]!]))
    const complete = read.arms.filter(({ runs }) => runs.length > 0)
    const warnings = [
      ...read.notes,
      ...warningsOf(
        complete.map((arm) => ({ ...arm, leftOut: [] })),
        [],
      ),
    ]
    return {
      tables: { arms, baseline: arms[baseline]!, sweep, results, dropped, warnings },
      pictures: {
        arms: drawn,
        baseline: drawn[baseline]!,
        sweep,
        dropped: [],
        results: results.map((result) => ({ ...result, arm: pictured.get(result.arm)! })),
        warnings,
      },
    }
  }

  #source(): RunSource {
    const { runs } = this.#monitor
    return {
      runsNamed: async () => ({ runs: [...runs.keys()], unreadable: [] }),
      readRun: async (folder) => {
        const found = runs.get(folder)
        if (found?.run) return found.run
        throw found?.error ?? new EigenaeError({ problem: 'was removed', subject: folder })
      },
    }
  }

  /** Reads the spectra of all epochs for the arms that the pictures show. */
  async #withSpectra(arms: readonly Arm[]): Promise<readonly Arm[]> {
    const before = this.#whole
    this.#whole = new Map()
    const read = async (run: WholeRun, index: number): Promise<WholeRun> => {
      if (index >= mostWhole) return run
      const fingerprint = this.#monitor.runs.get(run.folder)?.fingerprint ?? ''
      const found = before.get(run.folder)
      const whole = found?.fingerprint === fingerprint ? found : { fingerprint, run: await readAgain(run) }
      this.#whole.set(run.folder, whole)
      return whole.run
    }
    const drawn = new Set(drawnOf(arms))
    return Promise.all(
      arms.map(async (arm) =>
        drawn.has(arm) ? { ...arm, runs: await Promise.all(arm.runs.map(read)) } : arm,
      ),
    )
  }
}

/** The page has a list of the runs of its own. */
function withoutRuns(data: ReportData): ReportData {
  const { [tableIds.runs]: _, ...tables } = data.tables
  return { ...data, tables }
}

function isComplete(run: WholeRun): boolean {
  return run.status === 'completed'
}

/** A run that was removed or is being written stays as it was read last. */
async function readAgain(run: WholeRun): Promise<WholeRun> {
  try {
    return await readWholeRun(run.folder)
  } catch (error) {
    if (error instanceof EigenaeError) return run
    throw error
  }
}
