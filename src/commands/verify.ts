import { resolve } from 'node:path'
import { Command } from 'commander'
import { EigenaeError } from '../errors.js'
import { isLocked } from '../files/lock.js'
import { type Damage, damageText, remakeHint } from '../runs/damage.js'
import { runFiles } from '../runs/files.js'
import { runsNamed } from '../runs/find.js'
import { type Verification, verifyRun } from '../runs/verify.js'
import { writeJson, writeResult } from '../terminal/output.js'
import { alignedTable } from '../text/table.js'

interface VerifyFlags {
  readonly json: boolean
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('Check every file of runs against the checksums that were kept when the runs were made')
    .argument('<run...>', 'run folders, or folders of runs at any depth')
    .option('--json', 'print the results as JSON', false)
    .addHelpText(
      'after',
      `
Prints a line a run: ok, incomplete (whole up to its last checkpoint), no checksums (made by eigenae 0.1.0, so that only
its structure can be checked), or damaged, with each file and the reason. The exit code is 1 if a run is damaged.
Training a damaged run again with --resume remakes it: from its checkpoint if that is whole, or else from the beginning.

Example:
  eigenae verify runs/eigen`,
    )
    .action(verify)
}

type State = 'ok' | 'incomplete' | 'no checksums' | 'damaged'

interface VerifiedRun {
  readonly folder: string
  readonly state: State
  readonly note: string
  readonly damage: readonly Damage[]
}

async function verify(named: readonly string[], { json }: VerifyFlags): Promise<void> {
  const found = (await Promise.all(named.map(runsNamed))).flat()
  const folders = [...new Map(found.map((folder) => [resolve(folder), folder])).values()]
  const runs: VerifiedRun[] = []
  for (const folder of folders) runs.push(await verifiedRun(folder))
  if (json) writeJson(runs.map(({ folder, state, damage }) => ({ folder, state, damage })))
  else writeResult(alignedTable(runs.map(lineOf), ['left', 'left', 'left']))
  const damaged = runs.filter(({ state }) => state === 'damaged')
  if (damaged.length === 0) return
  const what = `${damaged.length} of ${runs.length} ${runs.length === 1 ? 'run is' : 'runs are'} damaged`
  throw new EigenaeError({ what, hint: remakeHint })
}

async function verifiedRun(folder: string): Promise<VerifiedRun> {
  const files = runFiles(folder)
  // A run at work may be half-way through a file: once more, then.
  const first = verifyRun(files)
  const again = first.damage.length > 0 && (await isLocked(files.lock)) ? verifyRun(files) : first
  return { folder, ...judge(again) }
}

function judge({ record, checksums, damage }: Verification): Omit<VerifiedRun, 'folder'> {
  if (damage.length > 0) return { state: 'damaged', note: damage.map(damageText).join('; '), damage }
  if (!checksums)
    return { state: 'no checksums', note: `made by eigenae ${record!.versions.eigenae}`, damage }
  if (record!.status === 'completed') return { state: 'ok', note: '', damage }
  return { state: 'incomplete', note: `${record!.status}; whole up to its last checkpoint`, damage }
}

function lineOf({ folder, state, note }: VerifiedRun): readonly string[] {
  return [folder, state, note]
}
