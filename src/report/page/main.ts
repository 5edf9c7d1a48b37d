/** The script of report.html. */
import type { ReportData } from '../report-data.js'
import { Report } from './report.js'

const data = JSON.parse(document.getElementById('report-data')!.textContent!) as ReportData
if (data.csv === null) document.getElementById('csv')!.hidden = true
void new Report(data).show(data).then(() => {
  document.body.dataset.ready = 'true'
})
