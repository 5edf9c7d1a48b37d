/** The state of a folder as lines of text, for a terminal. */
import { basename, resolve } from 'node:path'
import type { Comparison } from '../../comparison/comparison.js'
import { meanText, sharedText } from '../../comparison/comparison-tables.js'
import { sparkline } from '../../comparison/terminal.js'
import { type Metric, meaningOf } from '../../runs/metrics.js'
import { escapeLine, shortened, significant } from '../../text/format.js'
import { terminalWidth, truncate, truncateDistinct, widestOf } from '../../text/shorten.js'
import { alignedTable } from '../../text/table.js'
import { compareCompleted } from './live-report.js'
import { Machine } from './machine.js'
import { Monitor } from './monitor.js'
import {
  countsOf,
  type FolderSummary,
  type MachineState,
  paceTexts,
  type RunRow,
  slurmText,
  sweepTexts,
} from './watch-format.js'

/** A terminal's size in cells; null if the text may have any size. */
export type Size = { readonly columns: number; readonly rows: number } | null

export interface TerminalOptions {
  readonly size: () => Size
  /** Called with the lines of the screen whenever they may have changed. */
  readonly onLines: (lines: readonly string[]) => void
  /** Whether to end after the first look at the folder. */
  readonly once: boolean
}

// Results are compared again at most this often, as most of their lines do not change with an epoch.
const resultMilliseconds = 2000

/** Describes a folder as text until the signal is aborted. @throws EigenaeError if the folder cannot be read. */
export async function describeWatch(
  folder: string,
  { size, onLines, once }: TerminalOptions,
  signal: AbortSignal,
): Promise<void> {
  const machine = new Machine(signal)
  let hasChanged = true
  const monitor = new Monitor(folder, () => {
    hasChanged = true
    if (!once) draw()
  })
  let comparison: Comparison | null = null
  const draw = () => {
    const { rows, summary } = monitor
    const cells = size()
    const title = `${summary.sweeps[0]?.name ?? basename(resolve(folder))} (${folder})`
    const head = [title, ...summaryLines(summary, cells), ...machineLines(machine.state)]
    const lists = [
      {
        title: 'running',
        lines: runningLines(
          rows.filter(({ status }) => status === 'running'),
          cells,
        ),
      },
      {
        title: 'not completed',
        lines: failureLines(
          rows.filter(({ reason }) => reason !== null),
          cells,
        ),
      },
      {
        title: 'results of the completed runs',
        lines: comparison === null ? [] : resultLines(comparison, cells),
      },
    ]
    onLines(fitLines(head, lists, cells))
  }
  const compare = async () => {
    if (!hasChanged) return
    hasChanged = false
    comparison = await compareCompleted(monitor)
  }
  // A script that asks once would wait for a folder whose name is wrong.
  await monitor.requireFolder({ mayBeMissing: !once })
  if (once) {
    await Promise.all([monitor.pass(signal).then(compare), machine.refresh()])
    return draw()
  }
  const refresh = async () => {
    await Promise.all([compare(), machine.refresh()])
    draw()
  }
  const timer = setInterval(() => void refresh(), resultMilliseconds)
  try {
    await monitor.follow(signal)
  } finally {
    clearInterval(timer)
  }
}

const metrics: readonly Metric[] = ['test_mse', 'test_denoise_mse', 'effective_rank', 'linear_probe_accuracy']

interface LineList {
  readonly title: string
  readonly lines: readonly string[]
}

/** Returns the lines. If they do not all fit, each list has its share of the height, and its last line counts the rest. */
function fitLines(head: readonly string[], all: readonly LineList[], size: Size): readonly string[] {
  const lists = all.filter(({ lines }) => lines.length > 0)
  const free = size === null ? Number.POSITIVE_INFINITY : size.rows - 1 - head.length - 2 * lists.length
  const heights = sharesOf(
    free,
    lists.map(({ lines }) => lines.length),
  )
  const body = lists.flatMap(({ title, lines }, index) => {
    const height = heights[index]!
    const most = lines.length > height ? Math.max(0, height - 1) : height
    return ['', title, ...shortened(lines, most)]
  })
  const lines = [...head, ...body].map(escapeLine)
  return size === null ? lines : lines.slice(0, size.rows - 1).map((line) => truncate(line, size.columns, 1))
}

const barCells = { '█': 'completed', '▓': 'running', '✗': 'failed' } as const

function summaryLines(summary: FolderSummary, size: Size): readonly string[] {
  const { total, words } = countsOf(summary)
  const width = Math.min(60, (size?.columns ?? 80) - 2)
  const cells = Object.entries(barCells).map(([cell, status]) =>
    cell.repeat(Math.round((width * summary.counts[status]) / Math.max(1, total))),
  )
  return [
    cells.join('').slice(0, width).padEnd(width, '░'),
    total === 0 ? 'no runs yet' : `${words} · ${total} in all`,
    [...paceTexts(summary), ...sweepTexts(summary)].join(' · '),
    ...summary.unreadable,
  ].filter((line) => line !== '')
}

function machineLines({ gpus, slurm }: MachineState): readonly string[] {
  return [
    ...gpus.map(
      ({ index, name, utilisation, usedMiB, totalMiB }) =>
        `GPU ${index}, ${name}: ${utilisation ?? '–'} %, ${usedMiB ?? '–'} of ${totalMiB ?? '–'} MiB`,
    ),
    ...(slurm === null ? [] : [slurmText(slurm)]),
  ]
}

function runningLines(rows: readonly RunRow[], size: Size): readonly string[] {
  if (rows.length === 0) return []
  const names = shortNames(rows, size)
  const cells = rows.map(({ epoch, epochs, testMse, history }, index) => [
    names[index]!,
    `${epoch}/${epochs}`,
    testMse === null ? '–' : significant(testMse),
    sparkline(history, [Math.min(...history), Math.max(...history)], 16),
  ])
  return alignedTable(
    cells,
    ['left', 'right', 'right', 'left'],
    ['run', 'epoch', 'test MSE', 'by epoch'],
  ).split('\n')
}

/** A reason is `subject: problem`; of a subject that is too long, often a path, the end stays beside the problem. */
function failureLines(rows: readonly RunRow[], size: Size): readonly string[] {
  const columns = size?.columns ?? Number.POSITIVE_INFINITY
  const names = shortNames(rows, size)
  return rows.map(({ status, reason }, index) => {
    const start = `${names[index]}: ${status}: `
    return `${start}${truncate(reason!.split('\n')[0]!, Math.max(1, columns - terminalWidth(start)), 0)}`
  })
}

/** Returns the names of runs, in at most two fifths of the terminal's columns. */
function shortNames(rows: readonly RunRow[], size: Size): readonly string[] {
  const names = rows.map(({ name }) => name)
  return size === null
    ? names
    : truncateDistinct(names, Math.max(narrowestLabel, Math.floor(0.4 * size.columns)))
}

/** One line per arm, with the metrics that fit beside its name; `*` marks the best mean of each. */
function resultLines(comparison: Comparison, size: Size): readonly string[] {
  const { arms, results, rankedBy } = comparison
  const columns = size?.columns ?? Number.POSITIVE_INFINITY
  const byArm = new Map(results.map((result) => [`${arms.indexOf(result.arm)} ${result.metric}`, result]))
  const names = truncateDistinct(
    arms.map(({ shown }) => shown),
    Math.max(narrowestLabel, Math.floor(columns / 2)),
  )
  const tableOf = (shown: readonly Metric[]) =>
    alignedTable(
      arms.map(({ runs }, arm) => [
        names[arm]!,
        String(runs.length),
        ...shown.map((metric) => {
          const result = byArm.get(`${arm} ${metric}`)
          return result === undefined ? '–' : `${result.best ? '* ' : ''}${meanText(result.summary)}`
        }),
      ]),
      ['left', 'right', ...shown.map(() => 'right' as const)],
      ['arm', 'n', ...shown.map((metric) => meaningOf(metric).label)],
    ).split('\n')
  const measured = (metrics.includes(rankedBy) ? metrics : [rankedBy, ...metrics]).filter((metric) =>
    results.some((result) => result.metric === metric),
  )
  const tables = measured.map((_, index) => tableOf(measured.slice(0, index + 1)))
  const table = tables.findLast((lines) => widestOf(lines) <= columns) ?? tables[0] ?? []
  return [sharedText(comparison), ...table].filter(Boolean)
}

// Cells of an arm's label on a narrow terminal.
const narrowestLabel = 12

/** Divides the lines of a terminal among lists: short lists in full, the others equally. */
function sharesOf(free: number, lengths: readonly number[]): readonly number[] {
  const shares = lengths.map(() => 0)
  let left = free
  const ascending = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]!)
  for (const [place, index] of ascending.entries()) {
    shares[index] = Math.max(0, Math.min(lengths[index]!, Math.floor(left / (lengths.length - place))))
    left -= shares[index]
  }
  return shares
}
