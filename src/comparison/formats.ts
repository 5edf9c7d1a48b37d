/** The tables of a comparison for papers: Markdown, LaTeX and CSV. */
import { createObjectCsvStringifier } from 'csv-writer'
import { type Metric, meaningOf, metrics } from '../runs/metrics.js'
import { escapeLine, withoutFormula } from '../text/format.js'
import type { Comparison, Result } from './comparison.js'
import { comparisonCsv } from './export.js'
import {
  cellTexts,
  type MainTable,
  type MetricColumn,
  mainTable,
  verdictOf,
  verdictText,
} from './main-table.js'
import type { TableFormat } from './table-formats.js'
import { detectableText, differenceText, effectText, meanText, pText, testsText } from './text.js'

/** A table of one of the formats, before it is written. */
interface Table {
  /** Null for a table that stands alone. */
  readonly heading: string | null
  readonly header: readonly string[]
  readonly rows: readonly Row[]
}

interface Row {
  /** Left-aligned. */
  readonly label: string
  /** Right-aligned. */
  readonly cells: readonly Cell[]
  /** Left-aligned, after the cells; null if there is no such column. */
  readonly last: string | null
}

interface Cell {
  readonly text: string
  readonly best: boolean
  readonly verdict: 'better' | 'worse' | null
}

export interface FormatOptions {
  readonly format: Exclude<TableFormat, 'text'>
  /** Only this metric, with its differences and tests; undefined for the main table. */
  readonly metric: Metric | undefined
  /** The differences and tests of all main metrics. */
  readonly details: boolean
}

/** Returns the tables that `compare --format` prints. */
export function formattedTables(comparison: Comparison, { format, metric, details }: FormatOptions): string {
  const { results, baseline } = comparison
  if (metric === undefined && !details) {
    const table = mainTable(comparison)
    if (format === 'csv') return mainCsv(table)
    return writers[format]([mainOf(table)], verdictNote(results, baseline.label, format))
  }
  const shown = metrics.filter((each) => (metric === undefined ? meaningOf(each).main : each === metric))
  const chosen = results.filter((result) => shown.includes(result.metric))
  if (format === 'csv') return comparisonCsv({ ...comparison, results: chosen }).trimEnd()
  const tables = shown
    .map((each) => chosen.filter((result) => result.metric === each))
    .filter((rows) => rows.length > 0)
    .map(detailsOf)
  return writers[format](tables, testsText(chosen, baseline.label))
}

function mainOf({ columns, rows, hasDifferences }: MainTable): Table {
  return {
    heading: null,
    header: [
      'arm',
      'n',
      ...columns.map(({ header }) => header.replace('\u00a0', ' ')),
      ...(hasDifferences ? ['what differs'] : []),
    ],
    rows: rows
      .filter(({ complete }) => complete > 0)
      .map(({ label, complete, results, difference }) => ({
        label,
        cells: [
          plainCell(String(complete)),
          ...results.map((result, index) => mainCell(columns[index]!, result)),
        ],
        last: hasDifferences ? difference : null,
      })),
  }
}

function plainCell(text: string): Cell {
  return { text, best: false, verdict: null }
}

function mainCell(column: MetricColumn, result: Result | null): Cell {
  if (result === null) return plainCell('–')
  const { mean, half } = cellTexts(column, result)
  return { text: half === null ? mean : `${mean} ± ${half}`, best: result.best, verdict: verdictOf(result) }
}

function detailsOf(results: readonly Result[]): Table {
  const { title, better } = meaningOf(results[0]!.metric)
  return {
    heading: better === null ? title : `${title}, ${better} is better`,
    header: ['arm', 'n', 'mean', 'difference', 'p', 'g', 'detectable'],
    rows: results.map((result) => ({
      label: result.arm.label,
      cells: [
        plainCell(String(result.summary.n)),
        { ...plainCell(meanText(result.summary)), best: result.best },
        ...[differenceText(result), pText(result), effectText(result), detectableText(result)].map(plainCell),
      ],
      last: null,
    })),
  }
}

/** Marks of significance: symbols that pdfTeX has. */
const verdictMarks = {
  markdown: { better: '✓', worse: '✗' },
  latex: { better: '+', worse: '-' },
} as const

function verdictNote(results: readonly Result[], baseline: string, format: 'markdown' | 'latex'): string {
  const text = verdictText(results, baseline)
  const { better, worse } = verdictMarks[format]
  return text === '' ? '' : `${better} ${worse} ${text}`
}

const writers = { markdown: markdownTables, latex: latexTables } as const

function markdownTables(tables: readonly Table[], note: string): string {
  const texts = tables.map(({ heading, header, rows }) => {
    const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
    const hasLast = rows[0]?.last != null
    const rules = header.map((_, index) =>
      index === 0 || (hasLast && index === header.length - 1) ? '---' : '---:',
    )
    return [
      ...(heading === null ? [] : [`**${escapeMarkdown(heading)}**`, '']),
      line(header.map(escapeMarkdown)),
      line(rules),
      ...rows.map(({ label, cells, last }) =>
        line([
          escapeMarkdown(label),
          ...cells.map(markdownCell),
          ...(last === null ? [] : [escapeMarkdown(last)]),
        ]),
      ),
    ].join('\n')
  })
  return [...texts, ...(note === '' ? [] : [escapeMarkdown(note)])].join('\n\n')
}

function markdownCell({ text, best, verdict }: Cell): string {
  const mark = verdict === null ? '' : ` ${verdictMarks.markdown[verdict]}`
  return `${best ? `**${text}**` : text}${mark}`
}

/** Escapes the characters that Markdown could read as markup in the cell of a table. */
function escapeMarkdown(text: string): string {
  return escapeLine(text).replace(/[\\`*_~|<>[\]&]/g, '\\$&')
}

/** Returns tables of the package booktabs, which pdfTeX, XeTeX and LuaTeX typeset. */
function latexTables(tables: readonly Table[], note: string): string {
  const texts = tables.map(({ heading, header, rows }) => {
    const line = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`
    const hasLast = rows[0]?.last != null
    const alignments = `l${'r'.repeat(header.length - (hasLast ? 2 : 1))}${hasLast ? 'l' : ''}`
    return [
      ...(heading === null ? [] : [`% ${escapeLine(heading)}`]),
      `\\begin{tabular}{${alignments}}`,
      '\\toprule',
      line(header.map(escapeLatex)),
      '\\midrule',
      ...rows.map(({ label, cells, last }) =>
        line([escapeLatex(label), ...cells.map(latexCell), ...(last === null ? [] : [escapeLatex(last)])]),
      ),
      '\\bottomrule',
      '\\end{tabular}',
    ].join('\n')
  })
  const comments = ['% Needs \\usepackage{booktabs}.', ...(note === '' ? [] : [`% ${escapeLine(note)}`])]
  return [comments.join('\n'), ...texts].join('\n')
}

function latexCell({ text, best, verdict }: Cell): string {
  const escaped = escapeLatex(text)
  const mark = verdict === null ? '' : `\\textsuperscript{\\ensuremath{${verdictMarks.latex[verdict]}}}`
  return `${best ? `\\textbf{${escaped}}` : escaped}${mark}`
}

const latexCharacters: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '^': '\\textasciicircum{}',
  '~': '\\textasciitilde{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': '{\\ttfamily\\char34}',
  '±': '\\ensuremath{\\pm}',
  '−': '\\ensuremath{-}',
  '–': '--',
  σ: '\\ensuremath{\\sigma}',
  Σ: '\\ensuremath{\\Sigma}',
  λ: '\\ensuremath{\\lambda}',
  '₁': '\\ensuremath{_1}',
}

function escapeLatex(text: string): string {
  return escapeLine(text).replace(
    /[\\^~<>|"±−–σΣλ₁{}$&#_%]/g,
    (character) => latexCharacters[character] ?? `\\${character}`,
  )
}

/** Returns the main table with a row per arm: the mean of each metric, its 95 % interval and its corrected p-value. */
function mainCsv({ columns, rows, hasDifferences }: MainTable): string {
  const header = [
    'label',
    'n',
    ...columns.flatMap(({ metric }) =>
      ['', '_low', '_high', '_p_value'].map((suffix) => `${metric}${suffix}`),
    ),
    ...(hasDifferences ? ['what_differs'] : []),
  ]
  const records = rows.map(({ label, complete, results, difference }) => [
    withoutFormula(label),
    complete,
    ...results.flatMap(numbersOf),
    ...(hasDifferences ? [withoutFormula(difference)] : []),
  ])
  const csv = createObjectCsvStringifier({ header: header.map((title) => ({ id: title, title })) })
  const objects = records.map((cells) =>
    Object.fromEntries(cells.map((cell, index) => [header[index]!, cell])),
  )
  return `${csv.getHeaderString()}${csv.stringifyRecords(objects)}`.trimEnd()
}

function numbersOf(result: Result | null): readonly (number | null)[] {
  if (result === null) return [null, null, null, null]
  const { summary, versus } = result
  return [
    summary.mean,
    summary.interval?.low ?? null,
    summary.interval?.high ?? null,
    versus?.correctedP ?? null,
  ]
}
