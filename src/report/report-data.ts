import type { Chart } from '../plots/chart.js'

/** The JSON in the report's element "report-data", for its script. */
export interface ReportData {
  readonly charts: readonly Chart[]
  readonly labels: readonly string[]
  readonly themes: Readonly<Record<'light' | 'dark', object>>
}
