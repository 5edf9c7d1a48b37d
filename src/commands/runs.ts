import { relative } from 'node:path'
import { Command } from 'commander'
import { findRunFolders, type Run, readRun, readRuns } from '../runs/read.js'
import { significant } from '../terminal/numbers.js'
import { writeJson, writeMessage, writeResult } from '../terminal/output.js'
import { alignedTable } from '../terminal/table.js'

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

async function runs(folder: string, { json }: RunsFlags): Promise<void> {
  const found = await readRuns(await findRunFolders(folder), readRun)
  if (json) return writeJson(found.map(asJson))
  if (found.length === 0) return writeMessage(`no runs in ${folder}`)
  const header = ['folder', 'name', 'seed', 'status', 'epoch', 'device', 'test MSE', 'effective rank']
  const alignments = ['left', 'left', 'right', 'left', 'right', 'left', 'right', 'right'] as const
  writeResult(
    alignedTable(
      found.map((run) => listed(run, folder)),
      alignments,
      header,
    ),
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

function asJson({ folder, record, status, metrics }: Run) {
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
  }
}
