import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Arm, Comparison, Result } from '../comparison/compare.js'
import { differenceText, effectText, meanText, pText, testsText } from '../comparison/text.js'
import { withoutSeed } from '../config/text.js'
import { signature } from '../files/own-files.js'
import { packageRoot } from '../package-root.js'
import { type Html, html, inlineScript, jsonScript, trustedHtml } from '../pages/html.js'
import { armDash, armShape, armVariables, baseStyle, themeOf } from '../pages/theme.js'
import type { Chart } from '../plots/chart.js'
import { drawnArms, mostDrawn, withoutLegends } from '../plots/comparison.js'
import { hasMarkers } from '../plots/epochs.js'
import { version } from '../runs/facts.js'
import { type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { commandLine } from '../text/format.js'
import type { ReportData } from './report-data.js'

// The page may load nothing. Vega compiles its expressions, which needs 'unsafe-eval'.
const policy =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"

/** Returns report.html, a single file that needs no other file and no network. */
export async function reportPage(
  comparison: Comparison,
  pictures: readonly Chart[],
  command: readonly string[],
): Promise<string> {
  const charts = withoutLegends(pictures, comparison)
  const { arms } = comparison
  const scripts = await Promise.all([
    packageFile('vega', 'vega.min.js'),
    packageFile('vega-lite', 'vega-lite.min.js'),
  ])
  const heading = arms.length === 1 ? 'One arm' : `${arms.length} arms compared`
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${signature}"><meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,">
<title>eigenae: ${heading}</title><style>${trustedHtml(pageStyle(legendArms(arms).length))}</style></head><body>
<h1>${heading}</h1>
<p>${runCount(arms)}. ${arms.length > 1 ? `The baseline is ${arms[0]!.label} (${arms[0]!.name}).` : ''}</p>
${warningsBox(comparison)}
<div class="arms" role="group" aria-label="Legend: click an arm to hide or show it">${legendArms(arms).map((arm, index) => armButton(arm, index, hasMarkers(legendArms(arms))))}</div>
<h2>Arms</h2>${armsTable(comparison)}
<h2>Pictures</h2><p class="quiet">Point at a mark to see its values. Click an arm's name above to hide it.${
    arms.length > mostDrawn ? ` The pictures show only the first ${mostDrawn} arms; the tables list all.` : ''
  }</p><noscript><p>The charts need JavaScript. The folder of this file holds the same pictures as SVG and PNG.</p></noscript>
${charts.map(figure)}
<h2>Numbers</h2><p class="quiet">${testsText(comparison.results, arms[0]!.label)} ★: the best mean.</p>${metricTables(comparison)}
<h2>How to reproduce it</h2><pre>${commandLine(command)}</pre>${arms.slice(0, mostListed).map(reproduction)}
<h2>Runs</h2><details><summary>All runs</summary>${runsTable(comparison)}</details>
<p class="quiet">Made by eigenae ${version}.</p><div id="tooltip" hidden></div>
${jsonScript('report-data', pageData(charts, drawnArms(comparison)))}
${scripts.map((script) => inlineScript(script))}${inlineScript(await pageScript())}
</body></html>
`
  return page.text
}

// A page with thousands of configs would open slowly. comparison.json has all of them.
const mostListed = 50

function legendArms(arms: readonly Arm[]): readonly Arm[] {
  return arms.slice(0, mostDrawn)
}

function pageData(charts: readonly Chart[], arms: readonly Arm[]): ReportData {
  const font = 'system-ui, sans-serif'
  const labelLimit = 180
  const themes = { light: themeOf('light', font, labelLimit), dark: themeOf('dark', font, labelLimit) }
  return { charts, labels: arms.map(({ label }) => label), themes }
}

function runCount(arms: readonly Arm[]): string {
  const runs = arms.reduce((sum, arm) => sum + arm.runs.length, 0)
  return `${runs} completed run${runs === 1 ? '' : 's'}`
}

function warningsBox({ warnings }: Comparison): Html | '' {
  if (warnings.length === 0) return ''
  return html`<div class="warnings"><ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul></div>`
}

function armButton({ label }: Arm, arm: number, marker: boolean): Html {
  const shape = html`<path d="${armShape(arm)}" fill="var(--arm-${arm})" transform="translate(17 6)"/>`
  return html`<button type="button" data-arm="${arm}" aria-pressed="true"><svg width="34" height="12" viewBox="0 0 34 12" aria-hidden="true"><path d="M0 6h34" stroke="var(--arm-${arm})" stroke-width="2" stroke-dasharray="${armDash(arm)}"/>${marker ? shape : ''}</svg>${label}</button>`
}

function figure({ name, title, caption }: Chart): Html {
  return html`<figure><h3>${title}</h3><div class="chart" id="chart-${name}" role="img" aria-label="${title}"></div><figcaption>${caption}</figcaption></figure>`
}

/** Returns a table per metric, the main metrics first. The others are in a closed section. */
function metricTables({ arms, results }: Comparison): Html {
  const table = (metric: Metric) => metricTable(metric, results, arms)
  const shown = metrics.filter((metric) => results.some((result) => result.metric === metric))
  return html`${shown.filter((metric) => meaningOf(metric).main).map(table)}
<details><summary>Further metrics</summary>${shown.filter((metric) => !meaningOf(metric).main).map(table)}</details>`
}

function metricTable(metric: Metric, results: readonly Result[], arms: readonly Arm[]): Html {
  const { title, better } = meaningOf(metric)
  const rows = results.filter((result) => result.metric === metric)
  return html`<h3>${title}${better === null ? '' : `, ${better} is better`} <span class="quiet">${metric}</span></h3>
<div class="table"><table><thead><tr><th>arm</th><th title="number of runs">n</th><th title="mean and half-width of its 95 % interval">mean ± 95 %</th>
<th title="difference from the baseline and half-width of its 95 % interval">difference ± 95 %</th><th title="p-value, corrected by Holm's method">p</th><th title="Hedges' g">g</th></tr></thead>
<tbody>${rows.map((result) => metricRow(result, arms.indexOf(result.arm)))}</tbody></table></div>`
}

function metricRow(result: Result, arm: number): Html {
  return html`<tr data-arm="${arm}" class="${result.best ? 'best' : ''}"><td class="wrap">${result.arm.label}</td>
<td>${result.summary.n}</td><td>${meanText(result.summary)}</td><td>${differenceWithInterval(result)}</td>
<td>${pText(result)}</td><td>${effectText(result)}</td></tr>`
}

function differenceWithInterval(result: Result): string {
  const interval = result.versus?.interval
  if (!interval) return differenceText(result)
  const text = meanText({ n: result.summary.n, mean: result.versus!.difference, sd: null, interval })
  return `${result.versus!.difference > 0 ? '+' : ''}${text}`.replace('-', '−')
}

function armsTable({ arms }: Comparison): Html {
  return html`<div class="table"><table><thead><tr><th>arm</th><th class="left">folder</th><th class="left">seeds</th><th title="number of runs">n</th></tr></thead>
<tbody>${arms.map(
    (
      arm,
      index,
    ) => html`<tr data-arm="${index}"><td class="wrap">${arm.label}</td><td class="left">${arm.name}</td>
<td class="left">${arm.runs.map(({ record }) => record.seed).join(' ')}</td><td>${arm.runs.length}</td></tr>`,
  )}</tbody></table></div>`
}

/** Returns a table of all runs with the engine and the version that made them. */
function runsTable({ arms }: Comparison): Html {
  const runs = arms.flatMap(({ runs, leftOut }) => [...runs, ...leftOut])
  return html`<div class="table"><table><thead><tr><th>run</th><th>seed</th><th class="left">status</th><th class="left">engine</th>
<th class="left">eigenae</th><th class="left">commit</th></tr></thead><tbody>${runs.map(
    ({
      folder,
      record,
      status,
    }) => html`<tr><td>${folder}</td><td>${record.seed}</td><td class="left">${status}</td>
<td class="left">${`${record.engine.name} ${record.engine.variant}, ${record.device}`}</td><td class="left">${record.versions.eigenae}</td>
<td class="left">${record.gitCommit?.slice(0, 10) ?? '–'}${record.gitDirty ? ' (modified)' : ''}</td></tr>`,
  )}</tbody></table></div>`
}

function reproduction(arm: Arm): Html {
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

/** Reads a file from a package's build folder, which is the folder of the file that Node imports. */
async function packageFile(name: string, file: string): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(name)
  return readFile(join(dirname(entry), file), 'utf8')
}

async function pageScript(): Promise<string> {
  return readFile(join(packageRoot, 'dist/report/page/main.js'), 'utf8')
}

function pageStyle(arms: number): string {
  return `${baseStyle((scheme) => armVariables(scheme, arms))}
figure { margin: 0 0 2rem } figcaption { max-width: 46rem } .chart { width: 100%; overflow-x: auto; min-height: 8rem } .chart svg { max-width: none; display: block }
.table { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100% }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; overflow-wrap: normal } th { font-weight: 600; color: var(--faint) }
th:first-child, td:first-child, .left { text-align: left } td.wrap { white-space: normal; min-width: 12rem; overflow-wrap: anywhere } tr.best td { font-weight: 600 } tr.best td:first-child::after { content: " ★"; color: var(--faint) }
@media (min-width: 40rem) { .arms { position: sticky; top: 0; z-index: 1 } }
.arms { display: flex; flex-wrap: wrap; gap: .4rem; padding: .6rem 0; background: var(--page); border-bottom: 1px solid var(--line); max-height: 30vh; overflow-y: auto }
.arms button { font: inherit; font-size: .875rem; display: flex; align-items: center; gap: .5rem; padding: .2rem .6rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--soft); color: inherit; cursor: pointer; text-align: left }
.arms button[aria-pressed="false"] { opacity: .5; text-decoration: line-through } .arms svg { flex: none }
.warnings { border-left: 4px solid #d55e00; padding: .5rem 1rem; background: var(--soft) } .warnings ul { margin: 0; padding-left: 1.2rem }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; overflow-wrap: normal } summary { cursor: pointer } details { margin: .5rem 0 }
#tooltip { position: fixed; z-index: 2; pointer-events: none; max-width: 20rem; padding: .4rem .6rem; font-size: .85rem; line-height: 1.35; background: var(--text); color: var(--page); border-radius: .3rem } #tooltip[hidden] { display: none }
`
}
