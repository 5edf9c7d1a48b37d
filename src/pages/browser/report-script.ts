/** The script of report.html. */
import type { ReportData } from '../report/report-format.js'
import { Report } from './report-view.js'

const data = JSON.parse(document.getElementById('report-data')!.textContent!) as ReportData
void new Report(data, { lazy: false }).show(data).then(() => {
  document.body.dataset.ready = 'true'
})
