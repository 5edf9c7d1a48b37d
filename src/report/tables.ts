import type { Arm, Comparison, Result } from '../comparison/compare.js'
import { differenceText, effectText, meanText, pText } from '../comparison/text.js'
import { type Html, html } from '../pages/html.js'
import { type Metric, meaningOf, metrics } from '../runs/metrics.js'

/** A table a metric, the main ones open. */
export function metricTables({ arms, results }: Comparison): Html {
  const table = (metric: Metric) => metricTable(metric, results, arms)
  const shown = metrics.filter((metric) => results.some((result) => result.metric === metric))
  return html`${shown.filter((metric) => meaningOf(metric).main).map(table)}
<details><summary>Further metrics</summary>${shown.filter((metric) => !meaningOf(metric).main).map(table)}</details>`
}

function metricTable(metric: Metric, results: readonly Result[], arms: readonly Arm[]): Html {
  const { title, better } = meaningOf(metric)
  const rows = results.filter((result) => result.metric === metric)
  return html`<h3>${title}${better === null ? '' : `, ${better} is better`} <span class="quiet">${metric}</span></h3>
<div class="table"><table><thead><tr><th>arm</th><th>n</th><th>mean ± 95 %</th><th>difference ± 95 %</th><th>p</th><th>g</th></tr></thead>
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

export function armsTable({ arms }: Comparison): Html {
  return html`<div class="table"><table><thead><tr><th>arm</th><th class="left">folder</th><th class="left">seeds</th><th>n</th></tr></thead>
<tbody>${arms.map(
    (
      arm,
      index,
    ) => html`<tr data-arm="${index}"><td class="wrap">${arm.label}</td><td class="left">${arm.name}</td>
<td class="left">${arm.runs.map(({ record }) => record.seed).join(' ')}</td><td>${arm.runs.length}</td></tr>`,
  )}</tbody></table></div>`
}

/** Every run, with the place it was made in. */
export function runsTable({ arms }: Comparison): Html {
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
