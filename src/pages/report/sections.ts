/** The parts of a report, from a comparison to HTML and the data for its script. */
import type { Arm, Comparison } from '../../comparison/comparison.js'
import { comparisonCsv } from '../../comparison/export.js'
import { marks, testsText } from '../../comparison/tables.js'
import { withoutSeed } from '../../config/text.js'
import { type Chart, drawnOf, drawnText } from '../../plots/chart.js'
import { drawnArms } from '../../plots/comparison.js'
import { hasMarkers } from '../../plots/epochs.js'
import type { Still } from '../../plots/model-pictures.js'
import { armDash, armShape, themeOf } from '../../plots/theme.js'
import { meaningOf } from '../../runs/metrics.js'
import { commandLine } from '../../text/command-line.js'
import { type Html, html } from '../html.js'
import { choicesOf } from './choices.js'
import type { ReportData } from './data.js'
import { mainTableNotes, metricTableId, reportTables, shownMetrics, tableIds } from './tables.js'

/** A part of a page with an entry in its contents. */
export interface Section {
  readonly id: string
  readonly title: string
  readonly content: Html
}

/** Returns the sections with the results: the main table first. */
export function resultSections(
  comparison: Comparison,
  charts: readonly Chart[],
  stills: readonly Still[] = [],
): readonly Section[] {
  return [
    { id: 'results', title: 'Results', content: results(comparison) },
    { id: 'pictures', title: 'Pictures', content: pictures(comparison, charts) },
    { id: 'axes', title: 'Choose the axes', content: axes() },
    ...(stills.length > 0
      ? [{ id: 'reconstructions', title: 'Reconstructions', content: html`${stills.map(still)}` }]
      : []),
    { id: 'numbers', title: 'All numbers', content: numbers(comparison) },
  ]
}

/** Returns the sections about the origin of the results. */
export function originSections(comparison: Comparison, command: readonly string[]): readonly Section[] {
  return [
    { id: 'reproduce', title: 'How to reproduce it', content: reproduction(comparison, command) },
    {
      id: 'runs',
      title: 'Runs',
      content: html`<details><summary>All runs</summary><div class="table" id="${tableIds.runs}"></div></details>`,
    },
  ]
}

// comparison.csv of a larger comparison lies only beside the report.
const largestCsv = 4 << 20

/**
 * Returns the data for the report's script.
 * @param drawn the comparison of the pictures, which may have runs that are not complete
 */
export function reportData(
  comparison: Comparison,
  pictures: readonly Chart[],
  drawn: Comparison = comparison,
): ReportData {
  const font = 'system-ui, sans-serif'
  const labelLimit = 240
  const arms = drawnArms(drawn)
  const csv = comparisonCsv(comparison)
  return {
    charts: pictures,
    labels: arms.map(({ label }) => label),
    themes: { light: themeOf('light', font, labelLimit), dark: themeOf('dark', font, labelLimit) },
    tables: reportTables(comparison),
    notes: mainTableNotes(comparison),
    choices: choicesOf(drawn, arms),
    csv: csv.length > largestCsv ? null : csv,
  }
}

/** Returns the buttons that show, hide and name the arms of the pictures. */
export function legend({ arms }: Comparison): Html {
  const shown = drawnOf(arms)
  const markers = hasMarkers(shown)
  return html`<div class="arms" role="group" aria-label="Legend: click an arm to hide or show it">${shown.map((arm, index) => armButton(arm, index, markers))}</div>`
}

function armButton({ label, difference }: Arm, arm: number, marker: boolean): Html {
  const shape = html`<path d="${armShape(arm)}" fill="var(--arm-${arm})" transform="translate(17 6)"/>`
  return html`<button type="button" data-arm="${arm}" aria-pressed="true" title="${difference || label}"><svg width="34" height="12" viewBox="0 0 34 12" aria-hidden="true"><path d="M0 6h34" stroke="var(--arm-${arm})" stroke-width="2" stroke-dasharray="${armDash(arm)}"/>${marker ? shape : ''}</svg>${label}</button>`
}

/** Returns the warnings of a comparison, "" if it has none. */
export function warningsBox({ warnings }: Comparison): Html | '' {
  if (warnings.length === 0) return ''
  return html`<div class="warnings"><ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul></div>`
}

const withoutScript = html`<noscript><p>This part needs JavaScript. The folder of this file holds the same numbers in comparison.csv, and the pictures as SVG and PNG.</p></noscript>`

function results({ arms }: Comparison): Html {
  const arrows = arms.length > 1 ? ' ↓, ↑: whether lower or higher is better.' : ''
  return html`<p class="quiet">Click a title to sort.${arrows}</p>
${withoutScript}<div class="table" id="${tableIds.main}"></div>
<ul class="quiet marks" id="notes-main"></ul><p class="buttons"><button type="button" id="csv">Download comparison.csv</button></p>`
}

function pictures({ arms }: Comparison, charts: readonly Chart[]): Html {
  const shown = drawnText(arms)
  const limit = shown === null ? '' : ` Pictures of lines and panels show ${shown}; the tables list all.`
  return html`<p class="quiet">Point at a mark to see its values. Click an arm's name in the legend to hide it.${limit}</p>${withoutScript}
<div class="charts">${charts.map(figure)}</div>`
}

function figure({ name, title, caption, panels }: Chart): Html {
  return html`<figure class="${panels.count > 1 ? 'wide' : ''}"><h3>${title}</h3><div class="chart" id="chart-${name}" role="img" aria-label="${title}"></div><figcaption>${caption}</figcaption>
<p class="buttons">${downloads(name)}</p></figure>`
}

function downloads(name: string): Html {
  return html`<button type="button" data-download="svg" data-chart="${name}" aria-label="Download ${name}.svg">SVG</button><button type="button" data-download="png" data-chart="${name}" aria-label="Download ${name}.png">PNG</button>`
}

function axes(): Html {
  const axis = (id: string, label: string) =>
    html`<label>${label} <select id="${id}"></select></label><label><input type="checkbox" id="${id}-log"> logarithmic</label>`
  return html`<p class="quiet">By epoch, a line is the mean over an arm's runs. Otherwise, a point is a run after its last epoch.</p>
<p class="controls">${axis('axis-y', 'vertical')}${axis('axis-x', 'horizontal')}</p>
<figure class="wide"><div class="chart" id="chart-axes" role="img" aria-label="Chart with the chosen axes"></div><p class="buttons">${downloads('axes')}</p></figure>`
}

function still({ name, title, caption, svg, scheme }: Still): Html {
  const data = Buffer.from(svg).toString('base64')
  return html`<figure class="wide"><h3>${title}</h3><img class="still ${scheme}" id="still-${name}" src="data:image/svg+xml;base64,${data}" alt="${title}"><figcaption>${caption}</figcaption>
<p class="buttons"><button type="button" data-still="${name}" aria-label="Download ${name}.svg">SVG</button></p></figure>`
}

/** Returns the table of one metric and the choice of that metric. */
function numbers(comparison: Comparison): Html {
  const option = (name: string, title: string) => html`<option value="${name}">${title}</option>`
  return html`<p class="controls"><label>metric <select id="metric">${shownMetrics(comparison).map((metric) =>
    option(metricTableId(metric), `${meaningOf(metric).title} (${metric})`),
  )}</select></label></p><div class="table" id="table-metric"></div>
<p class="quiet">${[`${marks.best} the best mean.`, testsText(comparison.results, comparison.baseline.label)].join(' ').trim()}</p>`
}

// A page with thousands of configs would open slowly. comparison.json has all of them.
const mostListed = 50

function reproduction({ arms }: Comparison, command: readonly string[]): Html {
  return html`<pre>${commandLine(command)}</pre>${arms.slice(0, mostListed).map(armReproduction)}`
}

function armReproduction(arm: Arm): Html {
  const { name, text } = configFile(arm)
  return html`<details><summary>${arm.label}: ${name}</summary><pre>${text}</pre><pre>${trainCommands(arm)}</pre></details>`
}

/** Returns the arm's config file under the name that the commands use. It has no seed because the commands name it. */
function configFile(arm: Arm): { readonly name: string; readonly text: string } {
  return { name: `${arm.config.name}.json`, text: JSON.stringify(withoutSeed(arm.config), null, 2) }
}

/** Returns the commands that train the arm's runs again. */
function trainCommands(arm: Arm): string {
  const { name } = configFile(arm)
  return arm.runs
    .map(({ record, folder }) =>
      commandLine(['eigenae', 'train', '--config', name, '--seed', String(record.seed), '--out', folder]),
    )
    .join('\n')
}
