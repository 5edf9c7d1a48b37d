import type { Chart } from '../plots/chart.js'

/** What the report holds as JSON in the element "report-data", for its script. */
export interface ReportData {
  readonly charts: readonly Chart[]
  readonly labels: readonly string[]
  readonly themes: Readonly<Record<'light' | 'dark', object>>
}
