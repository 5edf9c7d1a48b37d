import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Comparison } from '../../comparison/comparison.js'
import { signature } from '../../files/own-files.js'
import { packageRoot } from '../../package-root.js'
import { type Chart, mostDrawn } from '../../plots/chart.js'
import type { Still } from '../../plots/model-pictures.js'
import { type Html, html, inlineScript, jsonScript, trustedHtml } from '../html.js'
import { reportFacts, reportTitle } from './facts.js'
import { legend, originSections, reportData, resultSections, type Section, warningsBox } from './sections.js'
import { reportStyle } from './style.js'

// The page may load nothing. Vega compiles its expressions, which needs 'unsafe-eval'.
const policy =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"

export interface ReportOptions {
  /** The command that made the report. */
  readonly command: readonly string[]
  /** The text at the top; undefined if there is none. */
  readonly notes?: Html | undefined
  readonly stills?: readonly Still[]
}

/** Returns report.html, a single file that needs no other file and no network. */
export async function reportPage(
  comparison: Comparison,
  charts: readonly Chart[],
  { command, notes, stills = [] }: ReportOptions,
): Promise<string> {
  const title = reportTitle(comparison)
  const sections = [...resultSections(comparison, charts, stills), ...originSections(comparison, command)]
  const facts = reportFacts(comparison, new Date())
  return documentOf({
    title,
    policy,
    style: reportStyle(Math.min(comparison.arms.length, mostDrawn)),
    contents: sections,
    body: html`<h1>${title}</h1><div class="facts quiet">${facts.map((line) => html`<p>${line}.</p>`)}</div>
${notes === undefined ? '' : html`<div class="notes">${notes}</div>`}${warningsBox(comparison)}
${legend(comparison)}
${sections.map(sectionHtml)}`,
    scripts: [jsonScript('report-data', reportData(comparison, charts)), ...(await chartScripts('report'))],
  })
}

export interface PageParts {
  readonly title: string
  /** The Content-Security-Policy. */
  readonly policy: string
  readonly style: string
  readonly contents: readonly Section[]
  readonly body: Html
  readonly scripts: readonly Html[]
}

/** Returns the document of a report, with its contents beside the body on a wide screen and above it on a narrow one. */
export function documentOf({ title, policy, style, contents, body, scripts }: PageParts): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${signature}"><meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,">
<title>${title} – eigenae</title><style>${trustedHtml(style)}</style></head><body>
<div class="page"><nav aria-label="Contents"><ul>${contents.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
<main>${body}</main></div><div id="tooltip" hidden></div>
${scripts}
</body></html>
`.text
}

export function sectionHtml({ id, title, content }: Section): Html {
  return html`<section id="${id}"><h2>${title}</h2>${content}</section>
`
}

/** Returns the chart libraries and the script of a page. */
export async function chartScripts(page: 'report' | 'watch'): Promise<readonly Html[]> {
  const scripts = await Promise.all([
    packageFile('vega', 'vega.min.js'),
    packageFile('vega-lite', 'vega-lite.min.js'),
    readFile(join(packageRoot, `dist/pages/browser/${page}.js`), 'utf8'),
  ])
  return scripts.map((script) => inlineScript(script))
}

/** Reads a file from a package's build folder, which is the folder of the file that Node imports. */
async function packageFile(name: string, file: string): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(name)
  return readFile(join(dirname(entry), file), 'utf8')
}
