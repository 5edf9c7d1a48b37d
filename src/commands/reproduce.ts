import { spawn } from 'node:child_process'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { EigenaeError, exitCode, Interruption, usageError } from '../errors.js'
import { packageRoot } from '../package-root.js'
import { runFiles } from '../runs/files.js'
import { runNamed } from '../runs/find.js'
import { readRecord } from '../runs/record.js'
import { commandLine, eigenaeCommand } from '../text/command-line.js'
import { writeJson, writeMessage, writeResult } from '../text/output.js'
import { alignedTable } from '../text/table.js'
import {
  compareWithReproduction,
  differingCircumstances,
  planReproduction,
  type ReproducibleRun,
  type Reproduction,
  readReproducible,
  startFolder,
} from '../training/reproduction.js'
import type { FlagsOf } from './shared/options.js'
import { requirePlaced } from './shared/run-warnings.js'

export const reproduceCommand = () => declaration().action(reproduce)

type ReproduceFlags = FlagsOf<typeof declaration>

function declaration() {
  return new Command('reproduce')
    .description('Print the command that trains a run again with the same bytes, or run it and compare')
    .argument('<run>', 'run folder')
    .option('--run', 'run the command and compare the checksums of the files', false)
    .option(
      '--out <folder>',
      'folder of the new run (default: reproduced/<name>/seed-<seed>; with --run a temporary folder, removed if all files are the same)',
    )
    .option('--json', 'print the command, and with --run the compared files, as JSON', false)
    .addHelpText(
      'after',
      `
The command is made from config.json and run.json. If this machine would select another device or instruction set, it
sets EIGENAE_AUTO_DEVICE, EIGENAE_CUDA or EIGENAE_ISA. A note names what cannot be restored: another version, a missing instruction set.
timings.csv and the checkpoint hold times and are not compared. The exit code is 1 if a file differs.

Example:
  eigenae reproduce runs/eigen/seed-0 --run`,
    )
}

async function reproduce(named: string, flags: ReproduceFlags): Promise<void> {
  const run = readReproducible(await runNamed(named, 'reproduce'))
  requirePlaced(run)
  if (flags.run) return runAndCompare(run, flags)
  const { name, seed } = run.config
  const plan = await planReproduction(run, flags.out ?? join('reproduced', name, `seed-${seed}`))
  for (const note of plan.notes) writeMessage(`note: the bytes may differ: ${note}`)
  if (flags.json) writeJson(jsonOf(plan))
  else writeResult(shellLine(plan))
}

function jsonOf({ words, environment, folder, notes }: Reproduction) {
  return { command: words, environment, folder, notes }
}

function shellLine({ words, environment, folder }: Reproduction): string {
  const start = folder === null ? '' : `${commandLine(['cd', folder])} && `
  const variables = Object.entries(environment).map(
    ([name, value]) => `${commandLine([`${name}=${value}`])} `,
  )
  const [, ...args] = words
  return [start, ...variables, commandIn(folder, args)].join('')
}

/** In another folder, npx would run what that folder has under the name eigenae, and a clone's eigenae is not found. */
function commandIn(folder: string | null, args: readonly string[]): string {
  if (folder === null) return eigenaeCommand(commandLine(args))
  return commandLine(['node', join(packageRoot, 'bin', 'eigenae.js'), ...args])
}

async function runAndCompare(run: ReproducibleRun, { out, json }: ReproduceFlags): Promise<void> {
  const { status } = run.record
  if (status !== 'completed') {
    throw usageError({
      problem: `this run is not complete (${status}), so there are no files to compare with`,
      subject: run.folder,
      hint: `Finish it with ${eigenaeCommand('train … --resume')}, or print the command without --run.`,
    })
  }
  await requireWorkingFolder(run, out)
  const temporary = out === undefined ? await mkdtemp(join(tmpdir(), 'eigenae-reproduced-')) : null
  const removeTemporary = () => temporary !== null && rm(temporary, { recursive: true, force: true })
  const folder = out ?? join(temporary!, 'run')
  const plan = await planReproduction(run, folder)
  for (const note of plan.notes) writeMessage(`note: the bytes may differ: ${note}`)
  writeMessage(shellLine(plan))
  await execute(plan).catch(async (error: unknown) => {
    await removeTemporary()
    if (!(error instanceof Interruption) || temporary === null) throw error
    throw new Interruption({
      problem: 'interrupted; the temporary folder was removed',
      subject: run.folder,
      hint: 'Name a folder with --out to keep what was trained.',
    })
  })
  const files = compareWithReproduction(run.record, folder)
  const differing = files.filter(({ same }) => !same)
  if (json) writeJson({ ...jsonOf(plan), files })
  else writeResult(alignedTable(files.map(({ name, same }) => [name, same ? 'same bytes' : 'differs'])))
  if (differing.length > 0)
    throw new EigenaeError({
      problem: `${differing.length} of ${files.length} files differ from those of ${run.folder}`,
      subject: folder,
      details: differingCircumstances(run.record, readRecord(runFiles(folder).record).record),
      hint: `Compare them: ${eigenaeCommand(commandLine(['compare', run.folder, folder]))}`,
    })
  await removeTemporary()
}

/**
 * Throws a usage error if the command has to start in another folder. A folder that run.json names may belong to whoever
 * wrote it, and programs find libraries and other programs in the folder in which they start.
 */
async function requireWorkingFolder(run: ReproducibleRun, out?: string): Promise<void> {
  const folder = startFolder(run)
  if (folder === null || (await realpath(folder).catch(() => null)) === process.cwd()) return
  const args = ['reproduce', resolve(run.folder), '--run']
  const inFolder = commandIn(folder, [...args, ...(out === undefined ? [] : ['--out', resolve(out)])])
  throw usageError({
    problem: `the command starts in ${folder}, a folder that run.json names; refusing to enter it`,
    subject: run.folder,
    hint: `If you trust that folder, run: ${commandLine(['cd', folder])} && ${inFolder}`,
  })
}

/**
 * Runs the command in a process of its own, exactly as printed. Its messages are shown, its results are not. Signals
 * reach it from the terminal; this process waits until it has saved its epoch.
 */
async function execute({ words, environment }: Reproduction): Promise<void> {
  const [, ...args] = words
  const child = spawn(process.execPath, [join(packageRoot, 'bin', 'eigenae.js'), ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...environment },
  })
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  const ignore = () => {}
  process.on('SIGINT', ignore)
  process.on('SIGTERM', forward)
  try {
    const code = await new Promise<number | null>((done, failed) => {
      child.on('error', failed)
      child.on('close', done)
    })
    if (code === 0) return
    if (code === exitCode.interrupted)
      throw new Interruption({ problem: 'interrupted', subject: words.at(-1)! })
    throw new EigenaeError({ problem: 'the command failed; its message is above' })
  } finally {
    process.off('SIGINT', ignore)
    process.off('SIGTERM', forward)
  }
}
