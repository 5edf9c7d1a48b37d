import { relative } from 'node:path'
import { Command } from 'commander'
import { EigenaeError } from '../errors.js'
import { findRuns } from '../runs/find.js'
import { damageText, remakeHint } from '../runs/integrity.js'
import { type Run, readRun, readRuns } from '../runs/read.js'
import { significant } from '../text/format.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'

interface RunsFlags {
  readonly json: boolean
}

export function runsCommand(): Command {
  return new Command('runs')
    .description('List the runs in a folder')
    .argument('[folder]', 'where to look, at any depth', 'runs')
    .option('--json', 'print the list as JSON', false)
    .addHelpText('after', '\nExample:\n  eigenae runs runs/eigen')
    .action(runs)
}

/** Lists the runs that can be read, then fails if a run or a folder in between cannot be. */
async function runs(folder: string, { json }: RunsFlags): Promise<void> {
  const { runs: folders, unreadable } = await findRuns(folder)
  const all = await readRuns(folders, readRunOrError)
  const found = all.flatMap((each) => (each instanceof EigenaeError ? [] : [each]))
  const errors = all.flatMap((each) => (each instanceof EigenaeError ? [each] : []))
  if (json) writeJson(found.map(asJson))
  else if (all.length === 0) writeMessage(`no runs in ${folder}`)
  else if (found.length > 0) writeResult(tableOf(found, folder))
  for (const { folder: run, damage } of found)
    if (damage.length > 0) writeMessage(`warning: ${run}: ${damage.map(damageText).join('; ')}`)
  if (found.some(({ damage }) => damage.length > 0)) writeMessage(remakeHint)
  if (errors.length + unreadable.length === 0) return
  throw new EigenaeError({
    problem: [
      ...(errors.length > 0 ? [`${errors.length} of ${all.length} runs cannot be read`] : []),
      ...(unreadable.length > 0
        ? [`${unreadable.length} folder${unreadable.length === 1 ? '' : 's'} in it cannot be read`]
        : []),
    ].join(', '),
    subject: folder,
    details: [...errors, ...unreadable].map(({ message }) => message),
  })
}

async function readRunOrError(folder: string): Promise<Run | EigenaeError> {
  try {
    return await readRun(folder)
  } catch (error) {
    if (error instanceof EigenaeError) return error
    throw error
  }
}

function tableOf(found: readonly Run[], folder: string): string {
  const header = ['folder', 'name', 'seed', 'status', 'epoch', 'device', 'test MSE', 'effective rank']
  const alignments = ['left', 'left', 'right', 'left', 'right', 'left', 'right', 'right'] as const
  return alignedTable(
    found.map((run) => listed(run, folder)),
    alignments,
    header,
  )
}

function listed({ folder, record, status, metrics }: Run, root: string): readonly string[] {
  const last = metrics.at(-1)
  return [
    relative(root, folder) || '.',
    record.name,
    String(record.seed),
    status,
    `${last?.epoch ?? 0}/${record.epochs}`,
    record.device,
    last === undefined ? '–' : significant(last.test_mse),
    last === undefined ? '–' : last.effective_rank.toFixed(2),
  ]
}

function asJson({ folder, record, status, damage, metrics }: Run) {
  const last = metrics.at(-1)
  return {
    folder,
    name: record.name,
    seed: record.seed,
    status,
    epoch: last?.epoch ?? 0,
    epochs: record.epochs,
    device: record.device,
    test_mse: last?.test_mse ?? null,
    effective_rank: last?.effective_rank ?? null,
    error: record.status === 'failed' ? record.error : null,
    damage,
  }
}
