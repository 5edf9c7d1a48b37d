/** The script of the page of `eigenae watch`: it shows the messages of the server as they come. */
import { clock, significant } from '../../text/format.js'
import type { TableColumn, TableRow } from '../report/report-format.js'
import {
  countsOf,
  type FolderSummary,
  type FolderUpdate,
  type GpuState,
  type LiveReport,
  type MachineState,
  paceTexts,
  type RunRow,
  type SlurmState,
  slurmText,
  statuses,
  sweepTexts,
} from '../watch/watch-format.js'
import { DataTable } from './data-table.js'
import { Report } from './report-view.js'

const element = (id: string) => document.getElementById(id)!

function newElement(tag: string, text = ''): HTMLElement {
  const made = document.createElement(tag)
  made.textContent = text
  return made
}

// The state of the runs.

const columns: readonly TableColumn[] = [
  { title: 'run', align: 'left' },
  { title: 'status', align: 'left' },
  { title: 'epoch', align: 'right', descending: true },
  { title: 's/epoch', align: 'right', hint: 'seconds per epoch, evaluation included' },
  { title: 'time', align: 'right', hint: 'from the start to the end of a completed run' },
  { title: 'test MSE ↓', align: 'right', hint: 'after the last epoch so far, clean input' },
  { title: 'effective rank ↑', align: 'right', descending: true },
  { title: 'test MSE by epoch', align: 'right' },
]

const failureColumns: readonly TableColumn[] = [
  { title: 'run', align: 'left' },
  { title: 'epoch', align: 'right' },
  { title: 'reason', align: 'left' },
]

/** A run and its rows in the tables, which keep their elements as long as the run does not change. */
interface ShownRun {
  readonly row: RunRow
  readonly shown: TableRow
  /** Null unless the run has failed or was interrupted. */
  readonly failure: TableRow | null
}

const runs = new Map<string, ShownRun>()
const chosenStatus = element('status') as HTMLSelectElement
const search = element('search') as HTMLInputElement
const allRuns = new DataTable(element('table-watched'), isChosen)
const failedRuns = new DataTable(element('table-failures'))
let haveRunsChanged = true

for (const status of statuses) chosenStatus.append(new Option(status))
for (const control of [chosenStatus, search])
  control.addEventListener('input', () => {
    allRuns.refresh()
    countShown()
  })

function isChosen({ id }: TableRow): boolean {
  const row = runs.get(id!)?.row
  // Removed since the table was drawn.
  if (row === undefined) return false
  const { value } = chosenStatus
  return (value === '' || row.status === value) && row.name.includes(search.value.trim())
}

function countShown(): void {
  const { shownRows } = allRuns
  element('shown').textContent =
    shownRows === runs.size ? `${runs.size} runs` : `${shownRows} of ${runs.size} runs`
}

let latest: FolderSummary | null = null

/** Updates that arrive in one frame are drawn together, and those of a hidden page when it is shown again. */
function applyUpdate({ summary, changed, removed }: FolderUpdate): void {
  for (const name of removed) runs.delete(name)
  for (const row of changed) runs.set(row.name, { row, shown: tableRow(row), failure: failureRow(row) })
  if (changed.length + removed.length > 0) haveRunsChanged = true
  if (latest === null) requestAnimationFrame(draw)
  latest = summary
}

function draw(): void {
  if (latest !== null) showSummary(latest)
  latest = null
  if (haveRunsChanged) drawRuns()
  haveRunsChanged = false
  document.body.dataset.ready = 'true'
  document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1)
}

/** Without a choice of the reader, the runs that need attention come first. */
function drawRuns(): void {
  const rank = ({ row }: ShownRun) => statuses.indexOf(row.status)
  const inOrder = [...runs.values()].sort((a, b) => rank(a) - rank(b))
  allRuns.show({ columns, rows: inOrder.map(({ shown }) => shown) })
  const failed = inOrder.flatMap(({ failure }) => failure ?? [])
  for (const part of [element('failures'), document.querySelector('a[href="#failures"]')!])
    part.toggleAttribute('hidden', failed.length === 0)
  failedRuns.show({ columns: failureColumns, rows: failed })
  countShown()
}

function tableRow(row: RunRow): TableRow {
  const number = (value: number | null, text: (value: number) => string) =>
    value === null ? { text: '–', sort: null } : { text: text(value), sort: value }
  return {
    id: row.name,
    cells: [
      row.name,
      { text: row.status, tone: `status ${row.status}`, ...(row.reason !== null && { hint: row.reason }) },
      epochCell(row),
      number(row.secondsPerEpoch, (value) => significant(value, 3)),
      number(row.seconds, clock),
      number(row.testMse, significant),
      number(row.effectiveRank, (value) => value.toFixed(2)),
      { text: '', sort: null, curve: row.history },
    ],
  }
}

function failureRow(row: RunRow): TableRow | null {
  const { name, status, reason } = row
  return reason === null
    ? null
    : { cells: [{ text: name, tone: `status ${status}` }, epochCell(row), reason] }
}

function epochCell({ epoch, epochs }: RunRow) {
  return { text: epochs === null ? '–' : `${epoch}/${epochs}`, sort: epoch }
}

/** Shows the counts, the bar and the sweeps. */
function showSummary(summary: FolderSummary): void {
  const { counts, sweeps, unread, unreadable } = summary
  const { total, words } = countsOf(summary)
  element('counts').textContent = total > 0 ? `${words} · ${total} in all` : unread === 0 ? 'no runs yet' : ''
  element('bar').setAttribute('aria-label', words)
  const parts = ['completed', 'running', 'failed', 'interrupted', 'damaged', 'waiting'] as const
  element('bar').replaceChildren(
    ...parts.map((status) => {
      const part = newElement('span')
      part.className = status
      part.style.flexGrow = String(counts[status])
      return part
    }),
  )
  element('pace').textContent = [...paceTexts(summary), ...unreadable].join(' · ')
  element('sweeps').replaceChildren(...sweepTexts(summary).map((text) => newElement('p', text)))
  const [only] = sweeps
  if (sweeps.length === 1 && only?.folder === '.') element('title').textContent = only.name
  document.title = `${total === 0 ? '' : `${counts.completed}/${total} `}${element('title').textContent} – eigenae`
}

// The machine.

/** Shows the GPUs and the jobs of the cluster; nothing if there are none. */
function showMachine({ gpus, slurm }: MachineState): void {
  const jobs = slurm === null ? [] : [newElement('span', jobsText(slurm))]
  element('machine').replaceChildren(...gpus.map(gpuElement), ...jobs)
}

function gpuElement({ index, name, utilisation, usedMiB, totalMiB, temperature }: GpuState): HTMLElement {
  const line = newElement('span', `GPU ${index}, ${name} `)
  const isKnown = usedMiB !== null && totalMiB !== null
  const memory = isKnown ? ` ${(usedMiB / 1024).toFixed(1)} of ${(totalMiB / 1024).toFixed(0)} GiB` : ''
  const meter = Object.assign(document.createElement('meter'), { max: 100, value: utilisation ?? 0 })
  line.append(meter, ` ${utilisation ?? '–'} %${memory}${temperature === null ? '' : `, ${temperature} °C`}`)
  return line
}

function jobsText(slurm: SlurmState): string {
  const { nodes } = slurm
  const where = nodes.length > 4 ? `${nodes.length} nodes` : nodes.join(', ')
  return `${slurmText(slurm)}${nodes.length === 0 ? '' : `; on ${where}`}`
}

// The report below the state, which is fetched again when runs have changed.

const reportElement = element('report')
const contentsList = document.querySelector('nav ul')!
let shownHtml = ''
let report: Report | null = null
/** Ends the reactions of the report to the page when another one replaces it. */
let life = new AbortController()
let isFetching = false
let isReportStale = false

/** Fetches the report; if that is in progress, once more after it. A page in the background waits until it is shown. */
function refreshReport(): void {
  isReportStale = true
  if (isFetching || document.hidden) return
  isFetching = true
  isReportStale = false
  void fetch('report.json')
    .then((response) => response.json() as Promise<LiveReport | null>)
    .then((fetched) => (fetched === null ? undefined : showReport(fetched)))
    // A lost connection is shown at the top of the page.
    .catch(() => undefined)
    .finally(() => {
      isFetching = false
      if (isReportStale) refreshReport()
    })
}

async function showReport({ html, contents, data }: LiveReport): Promise<void> {
  if (html === shownHtml && report !== null) await report.show(data)
  else {
    shownHtml = html
    const hidden = [...(report?.hidden ?? [])]
    life.abort()
    life = new AbortController()
    const restore = chosenValues(reportElement)
    // Until its tables and charts are drawn, the page must not be shorter, which would scroll it.
    reportElement.style.minHeight = `${reportElement.offsetHeight}px`
    // The server has escaped all text from runs, as in report.html.
    reportElement.innerHTML = html
    showContents(contents)
    report = new Report(data, { lazy: true, signal: life.signal, hidden })
    const drawn = report.show(data)
    restore()
    await drawn
    reportElement.style.removeProperty('min-height')
  }
  document.body.dataset.reports = String(Number(document.body.dataset.reports ?? 0) + 1)
}

function showContents(contents: LiveReport['contents']): void {
  for (const old of contentsList.querySelectorAll('[data-live]')) old.remove()
  for (const { id, title } of contents) {
    const entry = newElement('li')
    entry.dataset.live = ''
    entry.append(Object.assign(document.createElement('a'), { href: `#${id}`, textContent: title }))
    contentsList.append(entry)
  }
}

/** Returns a function that chooses and opens again what the reader has chosen and opened, as far as it is possible. */
function chosenValues(part: HTMLElement): () => void {
  const titleOf = (details: Element) => details.firstElementChild?.textContent
  const opened = Array.from(part.querySelectorAll('details[open]'), titleOf)
  const controls = part.querySelectorAll<HTMLSelectElement | HTMLInputElement>('select, input')
  const chosen = Array.from(controls, (control) => {
    return { id: control.id, value: control.value, isChecked: 'checked' in control && control.checked }
  })
  return () => {
    for (const details of part.querySelectorAll('details')) details.open ||= opened.includes(titleOf(details))
    for (const { id, value, isChecked } of chosen) {
      const control = document.getElementById(id)
      if (control instanceof HTMLInputElement) control.checked = isChecked
      else if (control instanceof HTMLSelectElement)
        control.value = Array.from(control.options).some((each) => each.value === value)
          ? value
          : control.value
      control?.dispatchEvent(new Event('change'))
    }
  }
}

// The messages.

// The address carries the token of the page.
const events = new EventSource('events')
const connection = element('connection')
events.addEventListener('open', () => {
  connection.className = ''
  connection.textContent = 'live'
})
events.addEventListener('error', () => {
  connection.className = 'lost'
  connection.textContent =
    'Not connected: the watch has ended, or this machine cannot reach it. The page shows the last state.'
})
listen<FolderUpdate>('state', (update) => {
  runs.clear()
  haveRunsChanged = true
  applyUpdate(update)
})
listen<FolderUpdate>('update', applyUpdate)
listen<MachineState>('machine', showMachine)
listen<null>('report', refreshReport)
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && isReportStale) refreshReport()
})

function listen<Data>(name: string, act: (data: Data) => void): void {
  events.addEventListener(name, ({ data }: MessageEvent<string>) => act(JSON.parse(data) as Data))
}
