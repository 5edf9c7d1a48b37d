/** The HTML of a report: report.html, and the results on the page of `watch`. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Arm, Comparison } from '../../comparison/comparison.js'
import { listing, marks, sharedText, testsText } from '../../comparison/comparison-tables.js'
import { withoutSeed } from '../../config/schema.js'
import { signature } from '../../files/own-files.js'
import { packageRoot } from '../../package-root.js'
import type { Chart } from '../../plots/chart.js'
import { drawnOf, drawnText, mostDrawn } from '../../plots/drawn.js'
import { hasMarkers } from '../../plots/epochs.js'
import { modelStills, type Still } from '../../plots/model-pictures.js'
import { armDash, armShape } from '../../plots/theme.js'
import { version } from '../../runs/facts.js'
import { meaningOf } from '../../runs/metrics.js'
import { commandLine } from '../../text/command-line.js'
import { armVariables, baseStyle, documentOf, type Html, html, inlineScript, jsonScript } from '../html.js'
import { metricTableId, reportData, shownMetrics, tableIds } from './report-data.js'

/** A part of a page with an entry in its contents. */
interface Section {
  readonly id: string
  readonly title: string
  readonly content: Html
}

export interface ReportOptions {
  /** The command that made the report. */
  readonly command: readonly string[]
  /** The text at the top; undefined if there is none. */
  readonly notes?: Html | undefined
  readonly stills: readonly Still[]
}

/** Returns report.html, a single file that needs no other file and no network. */
export async function reportPage(
  comparison: Comparison,
  charts: readonly Chart[],
  { command, notes, stills }: ReportOptions,
): Promise<string> {
  const title = reportTitle(comparison)
  const sections = [
    ...resultSections(comparison, charts, stills),
    { id: 'reproduce', title: 'How to reproduce it', content: reproduction(comparison, command) },
    {
      id: 'runs',
      title: 'Runs',
      content: fold('All runs', html`<div class="table" id="${tableIds.runs}"></div>`),
    },
  ]
  const facts = reportFacts(comparison, new Date())
  return pageWithContents('report', {
    title,
    style: reportStyle(Math.min(comparison.arms.length, mostDrawn)),
    contents: sections,
    body: html`<h1>${title}</h1><div class="facts quiet">${facts.map((line) => html`<p>${line}.</p>`)}</div>
${notes === undefined ? '' : html`<div class="notes">${notes}</div>`}${warningsBox(comparison)}
${legend(comparison)}
${sections.map(sectionHtml)}`,
    scripts: [jsonScript('report-data', reportData(comparison, charts))],
  })
}

interface PageParts {
  readonly title: string
  readonly style: string
  readonly contents: readonly Omit<Section, 'content'>[]
  readonly body: Html
  readonly scripts?: readonly Html[]
}

// A page loads nothing; that of the watch connects only to the server that it came from. Vega compiles its expressions,
// which needs 'unsafe-eval'.
const policy =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"
const policies = { report: policy, watch: `${policy} blob:; connect-src 'self'` } as const

/** Returns a page with charts and with its contents beside the body on a wide screen and above it on a narrow one. */
export async function pageWithContents(
  name: 'report' | 'watch',
  { title, style, contents, body, scripts = [] }: PageParts,
): Promise<string> {
  const code = await Promise.all([
    packageFile('vega', 'vega.min.js'),
    packageFile('vega-lite', 'vega-lite.min.js'),
    readFile(join(packageRoot, `dist/pages/browser/${name}.js`), 'utf8'),
  ])
  return documentOf(`${title} – eigenae`, {
    generator: signature,
    policy: policies[name],
    style,
    body: html`<div class="page"><nav aria-label="Contents"><ul>${contents.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
<main>${body}</main></div><div id="tooltip" hidden></div>
${scripts}${code.map(inlineScript)}`,
  })
}

/** Reads a file from a package's build folder, which is the folder of the file that Node imports. */
async function packageFile(name: string, file: string): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(name)
  return readFile(join(dirname(entry), file), 'utf8')
}

export function sectionHtml({ id, title, content }: Section): Html {
  return html`<section id="${id}"><h2>${title}</h2>${content}</section>
`
}

/** Returns the title of a report: the sweep's name or, if no sweep made all arms, the arms' names or their number. */
function reportTitle({ arms, sweep }: Comparison): string {
  if (sweep?.name != null) return sweep.name
  if (arms.length > 3) return `${arms.length} arms compared`
  const names = arms.map(({ label }) => label)
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** Returns a line about the runs, one about their origin, and one about the report itself. */
function reportFacts({ arms }: Comparison, now: Date): readonly string[] {
  const runs = arms.flatMap((arm) => arm.runs)
  const records = runs.map(({ record }) => record)
  const distinct = (values: readonly string[]) => listing([...new Set(values)])
  const ended = records.flatMap((record) => ('ended' in record ? [record.ended.slice(0, 10)] : [])).sort()
  const dates = ended[0] === ended.at(-1) ? `${ended[0]}` : `${ended[0]} to ${ended.at(-1)}`
  return [
    `${runs.length} completed run${runs.length === 1 ? '' : 's'} in ${arms.length} arm${arms.length === 1 ? '' : 's'}${ended.length > 0 ? `, trained ${dates}` : ''}`,
    `On ${distinct(records.map(({ host }) => host))}: ${distinct(records.map(({ device, engine }) => `${device} (${engine.name} ${engine.variant})`))}, eigenae ${distinct(records.map(({ versions }) => versions.eigenae))}, Node ${distinct(records.map(({ versions }) => versions.node))}`,
    `Report made ${now.toISOString().slice(0, 16).replace('T', ' ')} UTC by eigenae ${version}`,
  ]
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

/** Returns what all arms share, and the buttons that show, hide and name the arms of the pictures. */
export function legend(comparison: Comparison): Html {
  const shown = drawnOf(comparison)
  const markers = hasMarkers(shown)
  const shared = sharedText(comparison)
  return html`${shared && html`<p class="quiet">${shared}.</p>`}<div class="arms" role="group" aria-label="Legend: click an arm to hide or show it">${shown.map((arm, index) => armButton(arm, index, markers))}</div>`
}

function armButton({ label, shown, difference }: Arm, arm: number, marker: boolean): Html {
  const shape = html`<path d="${armShape(arm)}" fill="var(--arm-${arm})" transform="translate(17 6)"/>`
  return html`<button type="button" data-arm="${arm}" aria-pressed="true" title="${difference || label}"><svg width="34" height="12" viewBox="0 0 34 12" aria-hidden="true"><path d="M0 6h34" stroke="var(--arm-${arm})" stroke-width="2" stroke-dasharray="${armDash(arm)}"/>${marker ? shape : ''}</svg>${shown}</button>`
}

/** Returns the warnings of a comparison, "" if it has none. */
export function warningsBox({ warnings }: Comparison): Html | '' {
  if (warnings.length === 0) return ''
  return html`<div class="warnings"><ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul></div>`
}

const withoutScript = html`<noscript><p>This part needs JavaScript. The files beside this one have the same numbers (comparison.csv) and the pictures (SVG and PNG).</p></noscript>`

function results({ arms }: Comparison): Html {
  const arrows = arms.length > 1 ? ' ↓, ↑: whether lower or higher is better.' : ''
  return html`<p class="quiet">Click a title to sort.${arrows}</p>
${withoutScript}<div class="table" id="${tableIds.main}"></div>
<ul class="quiet marks" id="notes-main"></ul><p class="buttons"><button type="button" id="csv">Download comparison.csv</button></p>`
}

function pictures(comparison: Comparison, charts: readonly Chart[]): Html {
  // The first table has the same values of many arms.
  const isLong = ({ name }: Chart) =>
    folded.includes(name) || (name === 'final' && comparison.arms.length > mostDrawn)
  const shown = drawnText(comparison)
  const limit = shown === null ? '' : ` Pictures of lines and panels show ${shown}; the tables list all.`
  return html`<p class="quiet">Point at a mark to see its values. Click an arm's name in the legend to hide it.${limit}</p>${withoutScript}
<div class="charts">${charts.filter((chart) => !isLong(chart)).map(figure)}</div>
${charts.filter(isLong).map((chart) => fold(chart.title, figure(chart)))}`
}

// Pictures that few readers need, and that are long.
const folded: readonly string[] = ['training', 'evolution', 'dead-units', ...modelStills]

/** Returns a part of the page that is closed until its title is clicked. */
function fold(title: string, content: Html): Html {
  return html`<details><summary>${title}</summary>${content}</details>`
}

function figure({ name, title, caption, panels }: Chart): Html {
  return html`<figure class="${panels.count > 1 || panels.narrowest !== undefined ? 'wide' : ''}"><h3>${title}</h3><div class="chart" id="chart-${name}" role="img" aria-label="${title}"></div><figcaption>${caption}</figcaption>
<p class="buttons">${downloads(name)}</p></figure>`
}

function downloads(name: string): Html {
  return html`<button type="button" data-download="svg" data-chart="${name}" aria-label="Download ${name}.svg">SVG</button><button type="button" data-download="png" data-chart="${name}" aria-label="Download ${name}.png">PNG</button>`
}

function axes(): Html {
  const axis = (id: string, label: string) =>
    html`<label>${label} <select id="${id}"></select></label><label><input type="checkbox" id="${id}-log"> logarithmic</label>`
  return html`<p class="quiet">Against the epoch, each line is the mean over an arm's runs. Against any other quantity, each point is a run after its last epoch.</p>
<p class="controls">${axis('axis-y', 'vertical')}${axis('axis-x', 'horizontal')}</p>
<figure class="wide"><div class="chart" id="chart-axes" role="img" aria-label="Chart with the chosen axes"></div><p class="buttons">${downloads('axes')}</p></figure>`
}

function still({ name, title, caption, svg, scheme }: Still): Html {
  const data = Buffer.from(svg).toString('base64')
  const content = html`<figure class="wide"><h3>${title}</h3><img class="still ${scheme}" id="still-${name}" src="data:image/svg+xml;base64,${data}" alt="${title}"><figcaption>${caption}</figcaption>
<p class="buttons"><button type="button" data-still="${name}" aria-label="Download ${name}.svg">SVG</button></p></figure>`
  return folded.includes(name) ? fold(title, content) : content
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

/** Returns the command of the report, and the config of each arm with the commands that train its runs again. */
function reproduction({ arms }: Comparison, command: readonly string[]): Html {
  return fold(
    'Commands and configs',
    html`<pre>${commandLine(command)}</pre>${arms.slice(0, mostListed).map(armReproduction)}`,
  )
}

function armReproduction({ label, config, runs }: Arm): Html {
  const file = `${config.name}.json`
  const commands = runs.map(({ record, folder }) =>
    commandLine(['eigenae', 'train', '--config', file, '--seed', String(record.seed), '--out', folder]),
  )
  // The config has no seed because the commands name it.
  return html`<details><summary>${label}: ${file}</summary><pre>${JSON.stringify(withoutSeed(config), null, 2)}</pre><pre>${commands.join('\n')}</pre></details>`
}

// Light and dark pictures of images become each other, and colours keep their hues.
const inverted = {
  light: 'filter: invert(.91) hue-rotate(180deg)',
  dark: 'filter: invert(1) hue-rotate(180deg) brightness(1.1)',
}

/** Returns the style of a report. @param arms the number of arms with a colour */
export function reportStyle(arms: number): string {
  return `${baseStyle((scheme) => armVariables(scheme, arms))}
:root { --better: #00639c; --worse: #b34a00; --accent: #00639c }
@media (prefers-color-scheme: dark) { :root { --better: #6cc3f5; --worse: #ffab40; --accent: #6cc3f5 } }
body { max-width: 120rem; padding: 1.5rem clamp(1rem, 3vw, 3rem) 4rem } html { scroll-padding-top: 4rem } a { color: var(--accent) }
nav { margin-bottom: 1.2rem } nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem }
@media (min-width: 80rem) {
  nav { margin: 0 } .page { display: grid; grid-template-columns: 11rem minmax(0, 1fr); gap: 2.5rem } nav { position: sticky; top: 1.5rem; align-self: start } nav ul { flex-direction: column }
}
@media print { nav, .buttons, .controls { display: none } }
main { min-width: 0 } section { margin: 1.6rem 0 } section > h2 { margin-top: 0 } .facts p { margin: .1rem 0; max-width: none }
.notes { border-left: 4px solid var(--accent); padding: .2rem 1.2rem; margin: 1.2rem 0; background: var(--soft); max-width: 60rem } .notes img { max-width: 100% } .notes > :first-child { margin-top: .6rem } .notes table { min-width: 0; margin: .6rem 0 } .notes th { background: none; padding: .3rem .7rem } .notes th, .notes td { text-align: left }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); grid-auto-flow: dense; gap: 1rem 2.5rem } .charts > .wide { grid-column: 1 / -1 } .charts > * { min-width: 0 }
@media (min-width: 110rem) { .charts { grid-template-columns: repeat(2, minmax(0, 1fr)) } .charts > .wide { grid-column: auto } }
figure { margin: 0 0 1rem; position: relative } figure .buttons { position: absolute; top: -.3rem; right: 0; margin: 0 } figure h3 { padding-right: 7rem } figcaption { max-width: 46rem } .chart { width: 100%; overflow-x: auto; min-height: 8rem } .chart svg, .chart canvas { max-width: none; display: block } .still { max-width: min(100%, 40rem) }
@media (prefers-color-scheme: dark) { .still.light { ${inverted.light} } } @media (prefers-color-scheme: light) { .still.dark { ${inverted.dark} } }
.controls { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; max-width: none } .controls label { min-width: 0; max-width: 100% } .controls select, .controls input[type="search"] { font: inherit; max-width: 100%; min-width: 0; padding: .2rem .4rem; background: var(--soft); color: inherit; border: 1px solid var(--line); border-radius: .3rem }
.buttons { display: flex; gap: .4rem; margin: .3rem 0 } .buttons button { font: inherit; font-size: .8rem; padding: .15rem .6rem; border: 1px solid var(--line); border-radius: .3rem; background: var(--soft); color: inherit; cursor: pointer }
.table { overflow: auto; max-height: min(80vh, 20rem); contain: content } #table-main { max-height: min(80vh, 38rem) } table { border-collapse: separate; border-spacing: 0; font-size: .9rem; font-variant-numeric: tabular-nums; min-width: 60% }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; overflow-wrap: normal } th { position: sticky; top: 0; z-index: 1; background: var(--page); padding: 0 } .table td:first-child { position: sticky; left: 0; background: var(--page) } .wrapped td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 11rem; max-width: 50vw }
th button { font: inherit; font-weight: 600; color: var(--faint); background: none; border: 0; padding: .3rem .55rem; cursor: pointer; width: 100%; text-align: inherit } th[aria-sort] button { color: var(--text) } th[aria-sort="ascending"] button::after { content: " ▲"; font-size: .7em } th[aria-sort="descending"] button::after { content: " ▼"; font-size: .7em }
.left { text-align: left } .best { font-weight: 700 } .incomplete { color: var(--worse) } .marks { list-style: none; padding: 0; font-size: .9rem } .better { color: var(--better) } .worse { color: var(--worse) }
.swatch { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem; vertical-align: baseline }
@media (min-width: 40rem) { .arms { position: sticky; top: 0; z-index: 2 } }
.arms { display: flex; gap: .4rem; padding: .6rem 0; background: var(--page); border-bottom: 1px solid var(--line); overflow-x: auto }
.arms button { font: inherit; font-size: .875rem; display: flex; align-items: center; gap: .5rem; white-space: nowrap; padding: .2rem .6rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--soft); color: inherit; cursor: pointer; text-align: left }
.arms button[aria-pressed="false"] { opacity: .5; text-decoration: line-through } .arms svg { flex: none }
.warnings { border-left: 4px solid #d55e00; padding: .5rem 1rem; margin: 1rem 0; background: var(--soft) } .warnings ul { margin: 0; padding-left: 1.2rem }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; overflow-wrap: normal } summary { cursor: pointer } details { margin: .5rem 0 }
#tooltip { position: fixed; z-index: 3; pointer-events: none; max-width: 20rem; padding: .4rem .6rem; font-size: .85rem; line-height: 1.35; background: var(--text); color: var(--page); border-radius: .3rem } #tooltip[hidden] { display: none }
`
}
