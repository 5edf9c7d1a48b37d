/** A comparison in the formats of other programs: CSV and JSON, and tables for papers in Markdown and LaTeX. */
import { beginsWith } from '../files/own-files.js'
import { type Metric, metrics } from '../runs/metrics.js'
import { escapeLine } from '../text/format.js'
import { csvText } from '../text/table.js'
import type { Arm, Comparison, Result } from './comparison.js'
import {
  type Cell,
  cellTexts,
  choiceNotes,
  detailedMetrics,
  detailTables,
  type MainTable,
  type MetricColumn,
  mainTable,
  sharedText,
  sizeNotes,
  type Table,
  testsText,
  verdictOf,
  verdictText,
} from './comparison-tables.js'
import {
  type Effects,
  effectJson,
  effectName,
  effectsJson,
  effectsNotes,
  effectsOf,
  effectsTable,
} from './effects.js'
import { differingFields } from './labels.js'

const format = 'eigenae-comparison-1'

/** The first columns of comparison.csv, in the order of the file: programs that count columns still work if another follows. */
const columns = [
  'group',
  'metric',
  'n',
  'mean',
  'sd',
  'low',
  'high',
  'difference',
  'p_value',
  'label',
  'hedges_g',
  'p_value_uncorrected',
  'difference_low',
  'difference_high',
  'detectable_difference',
] as const

/** Recognise earlier files, which may have fewer columns. */
export const comparisonMarks = {
  json: beginsWith(`{\n  "format": "${format}",`),
  csv: beginsWith(columns.slice(0, 9).join(',')),
} as const

/** Returns comparison.csv. A column for each setting, a config path in which the arms differ, follows the others. */
export function comparisonCsv({ arms, results }: Comparison): string {
  const { paths, fields } = differingFields(arms.map(({ config }) => config))
  const settings = new Map(arms.map((arm, index) => [arm, Object.fromEntries(fields[index]!)]))
  const rows = results.map((result) => ({ ...settings.get(result.arm), ...row(result) }))
  return csvText([...columns, ...paths], rows)
}

/** A row of comparison.csv and comparison.json. p_value is corrected by Holm's method. */
function row({ arm, metric, summary, versus, best }: Result) {
  return {
    group: arm.name,
    metric,
    n: summary.n,
    mean: summary.mean,
    sd: summary.sd,
    low: summary.interval?.low ?? null,
    high: summary.interval?.high ?? null,
    difference: versus?.difference ?? null,
    p_value: versus?.correctedP ?? null,
    label: arm.label,
    difference_low: versus?.interval?.low ?? null,
    difference_high: versus?.interval?.high ?? null,
    test: versus?.test?.kind ?? null,
    t: versus?.test?.t ?? null,
    degrees_of_freedom: versus?.test?.degreesOfFreedom ?? null,
    p_value_uncorrected: versus?.test?.p ?? null,
    hedges_g: versus?.hedgesG ?? null,
    detectable_difference: versus?.detectable ?? null,
    best,
  }
}

/** comparison.json, also printed by --json: the rows of comparison.csv with their arms and tests. */
export function comparisonJson(comparison: Comparison, metric?: Metric) {
  const { arms, baseline, chosenAmong, results, warnings } = comparison
  const chosen = metric === undefined ? results : results.filter((result) => result.metric === metric)
  const effects = effectsOf(comparison, metric)
  return {
    format,
    baseline: baseline.name,
    chosen_among: chosenAmong,
    warnings,
    groups: arms.map(armJson),
    rows: chosen.map(row),
    effects: typeof effects === 'string' ? null : effectsJson(effects),
  }
}

function armJson({ name, label, difference, settings, config, runs, leftOut }: Arm) {
  return {
    group: name,
    label,
    difference,
    seeds: runs.map(({ record }) => record.seed),
    runs: runs.map(({ folder }) => folder),
    left_out: leftOut.map(({ folder, status }) => ({ run: folder, status })),
    config,
    settings: Object.fromEntries(settings.map(({ path, value }) => [path, value ?? null])),
  }
}

interface FormatOptions {
  readonly format: 'markdown' | 'latex' | 'csv'
  /** Only this metric, with its differences and tests; undefined for the main table. */
  readonly metric: Metric | undefined
  /** The differences and tests of all main metrics. */
  readonly details: boolean
}

/** Returns the tables that `compare --format` prints. */
export function formattedTables(comparison: Comparison, { format, metric, details }: FormatOptions): string {
  const { arms, results, baseline } = comparison
  const shared = comparison.shared === '' ? [] : [`${sharedText(comparison)}.`]
  if (metric === undefined && !details) {
    if (format === 'csv') return mainCsv(mainTable(comparison))
    const verdicts = verdictText(results, baseline.label)
    const { better, worse } = verdictMarks[format]
    const notes = [
      ...shared,
      ...(verdicts === '' ? [] : [`${better} ${worse} ${verdicts}`]),
      ...sizeNotes(arms, results),
      ...choiceNotes(comparison),
    ]
    return writers[format]([paperTable(mainTable({ ...comparison, dropped: [] }))], notes.join(' '))
  }
  const shown = detailedMetrics(comparison, metric)
  const chosen = results.filter((result) => shown.includes(result.metric))
  if (format === 'csv') return comparisonCsv({ ...comparison, results: chosen }).trimEnd()
  const notes = [
    ...shared,
    testsText(chosen, baseline.label),
    ...sizeNotes(arms, chosen),
    ...choiceNotes(comparison),
  ].filter(Boolean)
  return writers[format](detailTables(comparison, shown), notes.join(' '))
}

/** Returns the effects of a sweep's settings in the formats of --format. */
export function formattedEffects(effects: Effects, format: FormatOptions['format']): string {
  if (format !== 'csv') return writers[format]([effectsTable(effects)], effectsNotes(effects).join(' '))
  const rows = effects.effects.map((effect) => ({
    setting: effectName(effect, effects),
    ...effectJson(effect),
  }))
  return csvText(Object.keys(rows[0]!), rows).trimEnd()
}

function paperTable({ columns, rows, hasDifferences }: MainTable): Table {
  return {
    heading: null,
    columns: [
      { title: 'arm', alignment: 'left' },
      { title: 'n', alignment: 'right' },
      ...columns.map(
        ({ header }) => ({ title: header.replaceAll('\u00a0', ' '), alignment: 'right' }) as const,
      ),
      ...(hasDifferences ? [{ title: 'what differs', alignment: 'left' } as const] : []),
    ],
    rows: rows.map(({ shown, complete, difference }, row) => [
      { text: shown },
      { text: String(complete) },
      ...columns.map((column) => meanCell(column, column.results[row]!)),
      ...(hasDifferences ? [{ text: difference }] : []),
    ]),
  }
}

function meanCell(column: MetricColumn, result: Result | null): Cell {
  if (result === null) return { text: '–' }
  const { mean, half } = cellTexts(column, result)
  return { text: half === null ? mean : `${mean} ± ${half}`, best: result.best, verdict: verdictOf(result) }
}

/** Marks of significance: symbols that pdfTeX has. */
const verdictMarks = {
  markdown: { better: '✓', worse: '✗' },
  latex: { better: '+', worse: '-' },
} as const

const writers = { markdown: markdownTables, latex: latexTables } as const

function markdownTables(tables: readonly Table[], note: string): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const texts = tables.map(({ heading, columns, rows }) =>
    [
      ...(heading === null ? [] : [`**${escapeMarkdown(heading)}**`, '']),
      line(columns.map(({ title }) => escapeMarkdown(title))),
      line(columns.map(({ alignment }) => (alignment === 'left' ? '---' : '---:'))),
      ...rows.map((cells) => line(cells.map((cell, index) => markdownCell(cell, columns[index]!.alignment)))),
    ].join('\n'),
  )
  return [...texts, ...(note === '' ? [] : [escapeMarkdown(note)])].join('\n\n')
}

/** Only names, which are on the left, can hold markup. */
function markdownCell({ text, best, verdict }: Cell, alignment: 'left' | 'right'): string {
  if (alignment === 'left') return escapeMarkdown(text)
  return `${best ? `**${text}**` : text}${verdict ? ` ${verdictMarks.markdown[verdict]}` : ''}`
}

/** Escapes the characters that Markdown could read as markup in the cell of a table. */
function escapeMarkdown(text: string): string {
  return escapeLine(text).replace(/[\\`*_~|<>[\]&]/g, '\\$&')
}

/** Returns tables of the package booktabs, which pdfTeX, XeTeX and LuaTeX typeset. */
function latexTables(tables: readonly Table[], note: string): string {
  const line = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`
  const texts = tables.map(({ heading, columns, rows }) =>
    [
      ...(heading === null ? [] : [`% ${escapeLine(heading)}`]),
      `\\begin{tabular}{${columns.map(({ alignment }) => alignment[0]).join('')}}`,
      '\\toprule',
      line(columns.map(({ title }) => escapeLatex(title))),
      '\\midrule',
      ...rows.map((cells) => line(cells.map(latexCell))),
      '\\bottomrule',
      '\\end{tabular}',
    ].join('\n'),
  )
  const comments = ['% Needs \\usepackage{booktabs}.', ...(note === '' ? [] : [`% ${escapeLine(note)}`])]
  return [comments.join('\n'), ...texts].join('\n')
}

function latexCell({ text, best, verdict }: Cell): string {
  const escaped = escapeLatex(text)
  const mark = verdict ? `\\textsuperscript{\\ensuremath{${verdictMarks.latex[verdict]}}}` : ''
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
  '²': '\\ensuremath{^2}',
  '×': '\\ensuremath{\\times}',
  ε: '\\ensuremath{\\varepsilon}',
}

function escapeLatex(text: string): string {
  return escapeLine(text).replace(
    /[\\^~<>|"±−–σΣλε₁²×{}$&#_%]/g,
    (character) => latexCharacters[character] ?? `\\${character}`,
  )
}

/** Returns the main table with a row per arm: the mean of each metric, its 95 % interval and its corrected p-value. */
function mainCsv({ columns: shown, rows }: MainTable): string {
  // The error on validation images comes last, because programs may count columns.
  const columns = metrics.flatMap((metric) => shown.filter((each) => each.metric === metric))
  const hasDifferences = rows.length > 1 && rows.some(({ label, difference }) => !label.endsWith(difference))
  const records = rows.map(({ label, complete, difference }, row) => ({
    label,
    n: complete,
    ...Object.fromEntries(columns.flatMap(({ metric, results }) => numbersOf(metric, results[row]!))),
    ...(hasDifferences && { what_differs: difference }),
  }))
  return csvText(Object.keys(records[0]!), records).trimEnd()
}

function numbersOf(metric: Metric, result: Result | null): readonly (readonly [string, unknown])[] {
  return [
    [metric, result?.summary.mean],
    [`${metric}_low`, result?.summary.interval?.low],
    [`${metric}_high`, result?.summary.interval?.high],
    [`${metric}_p_value`, result?.versus?.correctedP],
  ]
}
