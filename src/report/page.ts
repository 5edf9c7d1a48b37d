import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Arm, Comparison } from '../comparison/compare.js'
import { testsText } from '../comparison/text.js'
import { signature } from '../files/overwrite-guard.js'
import { packageRoot } from '../package-root.js'
import { type Html, html, inlineScript, jsonScript, unescaped } from '../pages/html.js'
import { armDash, armShape, themeOf } from '../pages/theme.js'
import type { Chart } from '../plots/chart.js'
import { drawnArms, mostDrawn, withoutLegends } from '../plots/comparison.js'
import { hasMarkers } from '../plots/epochs.js'
import { version } from '../runs/facts.js'
import { commandLine } from '../text/format.js'
import { configFile, trainCommands } from './commands.js'
import type { ReportData } from './report-data.js'
import { pageStyle } from './style.js'
import { armsTable, metricTables, runsTable } from './tables.js'

// Nothing may be loaded from anywhere; Vega compiles its expressions, which counts as eval.
const policy =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"

/** report.html: one file that needs no other and no network. */
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
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${signature}"><meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,">
<title>eigenae: ${arms.length} arms compared</title><style>${unescaped(pageStyle(drawn(arms).length))}</style></head><body>
<h1>${arms.length === 1 ? 'One arm' : `${arms.length} arms compared`}</h1>
<p>${runCount(arms)}. ${arms.length > 1 ? `The baseline is ${arms[0]!.label} (${arms[0]!.name}).` : ''}</p>
${warningsBox(comparison)}
<div class="arms" role="group" aria-label="legend: click to hide or show an arm">${drawn(arms).map((arm, place) => armButton(arm, place, hasMarkers(drawn(arms))))}</div>
<h2>Arms</h2>${armsTable(comparison)}
<h2>Pictures</h2><p class="quiet">Point at a mark for its values; click an arm's name above to hide it.${
    arms.length > mostDrawn ? ` Only the first ${mostDrawn} arms are drawn; the tables have all.` : ''
  }</p><noscript><p>The charts need JavaScript. The same pictures lie beside this file as SVG and PNG.</p></noscript>
${charts.map(figure)}
<h2>Numbers</h2><p class="quiet">${testsText(comparison.results, arms[0]!.label)} ★ the best mean.</p>${metricTables(comparison)}
<h2>To reproduce</h2><pre>${commandLine(command)}</pre>${arms.slice(0, mostListed).map(reproduction)}
<h2>Runs</h2><details><summary>All runs</summary>${runsTable(comparison)}</details>
<p class="quiet">Made by eigenae ${version}.</p><div id="tooltip" hidden></div>
${jsonScript('report-data', pageData(charts, drawnArms(comparison)))}
${scripts.map((script) => inlineScript(script))}${inlineScript(await pageScript())}
</body></html>
`
  return page.text
}

// A page of thousands of configs would open slowly; comparison.json has every one.
const mostListed = 50

function drawn(arms: readonly Arm[]): readonly Arm[] {
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

function reproduction(arm: Arm): Html {
  const { name, text } = configFile(arm)
  return html`<details><summary>${arm.label}: ${name}</summary><pre>${text}</pre><pre>${trainCommands(arm)}</pre></details>`
}

/** Of a package's build folder, where the file that Node imports lies. */
async function packageFile(name: string, file: string): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(name)
  return readFile(join(dirname(entry), file), 'utf8')
}

async function pageScript(): Promise<string> {
  return readFile(join(packageRoot, 'dist/report/page/main.js'), 'utf8')
}
