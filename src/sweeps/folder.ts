import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { configText } from '../config/schema.js'
import type { Search, SearchAxis } from '../config/sweep.js'
import { usageError } from '../errors.js'
import { entriesOf, makeFolder } from '../files/folder.js'
import { acquireLock, releaseLock } from '../files/lock.js'
import { jsonText, writeDurably } from '../files/write.js'
import { version } from '../runs/facts.js'
import { runFiles } from '../runs/files.js'
import { inspectRun } from '../runs/inspect.js'
import { collect, configSha256, type Damage, damageText } from '../runs/integrity.js'
import { commandSchema, type RecordedCommand, withChecksum } from '../runs/record.js'
import { isLeftover, recognise } from '../runs/resume.js'
import { planFile, planFormat, readPlan } from '../runs/sweep-plan.js'
import { shortened } from '../text/format.js'
import { climbIn, type Rung } from './halving.js'
import type { PlannedRun, SweepPlan } from './plan.js'

export function sweepFiles(folder: string) {
  return { plan: planFile(folder), lock: join(folder, '.lock') }
}

/** The sweep that a folder already holds. */
export interface SavedSweep {
  /** The names of its runs; null if sweep.json is damaged. */
  readonly runs: readonly string[] | null
  readonly damage: readonly string[]
}

/**
 * Returns the sweep in a folder, null if the folder is empty; writes nothing. A damaged sweep.json is accepted, to be
 * rewritten, if the folder holds a run of the plan.
 * @throws a usage error if the folder holds something else, or if it is not empty and `resume` is false.
 */
export async function inspectSweepFolder(
  folder: string,
  plan: SweepPlan,
  resume: boolean,
): Promise<SavedSweep | null> {
  const entries = await entriesOf(folder)
  if (entries.every(isLeftover)) return null
  const found: Damage[] = []
  const saved = collect(found, 'sweep.json', () => readPlan(folder))
  if (saved === undefined && found.length === 0) found.push({ file: 'sweep.json', reason: 'is missing' })
  const damage = found.map(damageText)
  const holdsRun = ({ name, config }: PlannedRun) =>
    recognise(runFiles(join(folder, name)), config).kind === 'same'
  if (saved === undefined ? !plan.runs.some(holdsRun) : saved.name !== plan.sweep.name)
    throw usageError({
      problem:
        saved === undefined
          ? 'not the folder of a sweep; refusing to write to it'
          : `holds another sweep, "${saved.name}"`,
      subject: folder,
      details: damage.map((line) => join(folder, line)),
      hint: 'Name another folder with --out.',
    })
  if (resume) return { runs: saved?.runs ?? null, damage }
  throw usageError({
    problem: 'already holds this sweep',
    subject: folder,
    hint: 'Resume it with --resume, or name another folder with --out.',
  })
}

/** Locks the folder, so that no other sweep uses it, and saves the plan. */
export async function claimSweepFolder(...[folder, ...saved]: Parameters<typeof savePlan>) {
  const files = sweepFiles(folder)
  await makeFolder(folder)
  await acquireLock(files.lock)
  await savePlan(folder, ...saved).catch(async (error: unknown) => {
    await releaseLock(files.lock)
    throw error
  })
  return files
}

/** Writes sweep.json, with the command line that started the sweep. */
export async function savePlan(
  folder: string,
  plan: SweepPlan,
  { rungs, runs, earlierConfigs }: SweepStage,
  command: RecordedCommand,
): Promise<void> {
  const { name, file, variants, fixed, baseline, grid, search, seeds } = plan.sweep
  const saved = {
    format: planFormat,
    name,
    file,
    version,
    command,
    variants: Object.fromEntries(variants),
    ...(fixed.size > 0 && { fixed: Object.fromEntries(fixed) }),
    ...(baseline !== null && { baseline }),
    grid: Object.fromEntries(grid),
    ...(search !== null && { search: searchJson(search) }),
    seeds,
    ...(rungs.length > 0 && {
      rungs: rungs.map(({ epochs, trials }) => ({ epochs, trials: trials.map((trial) => trial.name) })),
    }),
    runs: runs.map((run) => run.name),
    configs: Object.fromEntries(runs.map((run) => [run.name, configSha256(run.config)])),
    ...(earlierConfigs.size > 0 && { earlierConfigs: Object.fromEntries(earlierConfigs) }),
  }
  await writeDurably(planFile(folder), jsonText(withChecksum(saved)))
}

/** Returns the command line in a sweep.json; undefined if the file or the command is missing or damaged. */
export function sweepCommand(folder: string): RecordedCommand | undefined {
  const plan = collect([], 'sweep.json', () => readPlan(folder))
  return commandSchema.safeParse(plan?.command).data
}

function searchJson({ trials, seed, halving, spaces }: Search): object {
  const axesByPath = (axes: readonly SearchAxis[]) =>
    Object.fromEntries(axes.map(({ path, axis }) => [path, axis]))
  const byVariant = [...spaces].map(([variant, axes]) => [variant, axesByPath(axes)])
  return { trials, seed, ...(halving !== null && { halving }), spaces: Object.fromEntries(byVariant) }
}

/** The content of a planned run's folder. "damaged" has to be remade, "shorter" has fewer epochs than planned. */
export type RunState = 'done' | 'damaged' | 'shorter' | 'begun' | 'new'

interface InspectedRuns {
  /** In the order of the plan. */
  readonly states: readonly RunState[]
  /** One line for each damaged run. */
  readonly damage: readonly string[]
  /** The SHA-256 of the config.json of each run that has not exactly the planned config, by the run's name. */
  readonly earlierConfigs: ReadonlyMap<string, string>
}

/** The runs of a sweep with the epochs that they are to have now, as far as a halving has decided. */
export interface SweepStage extends InspectedRuns {
  /** The rungs that the trials of a halving have reached; empty without a halving. */
  readonly rungs: readonly Rung[]
  /** In the order of the plan. */
  readonly runs: readonly PlannedRun[]
}

/** @param failed the names of the runs that are not to be launched again */
export function inspectStage(
  plan: SweepPlan,
  folder: string,
  failed: ReadonlySet<string> = new Set(),
): SweepStage {
  const { rungs, runs } = climbIn(folder, plan, failed)
  return { rungs, runs, ...inspectRuns(runs, folder) }
}

/**
 * Returns the state of every run. Only the heads of models and checkpoints are checked. Ten thousand folders take
 * some seconds; with promises instead of synchronous reads they would take many times as long.
 * @throws a usage error if a folder holds a run with another config, which must not count as the planned one.
 */
function inspectRuns(runs: readonly PlannedRun[], sweepFolder: string): InspectedRuns {
  const { conflicts, damage, earlierConfigs }: Findings = {
    conflicts: [],
    damage: [],
    earlierConfigs: new Map(),
  }
  const states = runs.map((run) =>
    inspectPlannedRun(run, join(sweepFolder, run.name), { conflicts, damage, earlierConfigs }),
  )
  if (conflicts.length === 0) return { states, damage: firstLines(damage), earlierConfigs }
  throw usageError({
    problem: 'folders of this sweep hold runs whose config differs from the sweep file',
    subject: sweepFolder,
    details: firstLines(conflicts),
    hint: 'Restore the old configs, remove those folders, or name another folder with --out.',
  })
}

interface Findings {
  readonly conflicts: string[]
  readonly damage: string[]
  readonly earlierConfigs: Map<string, string>
}

/** More lines would hide what they have in common. */
function firstLines(lines: readonly string[]): readonly string[] {
  return shortened(lines, 20)
}

function inspectPlannedRun({ name, config }: PlannedRun, folder: string, findings: Findings): RunState {
  const files = runFiles(folder)
  // Undefined if there is no run, or if its run.json cannot be read.
  const run = collect([], 'run.json', () => inspectRun(files, 'heads'))
  if (
    run !== undefined &&
    run.damage.length === 0 &&
    run.contents['config.json']!.toString() === configText(config)
  )
    return run.record.status === 'completed' ? 'done' : 'begun'
  // Without run.json and checkpoint nothing was trained, as a rule, and a lone config.json is replaced.
  if (!existsSync(files.record) && !existsSync(files.checkpoint)) {
    const isForeign = existsSync(folder) && !readdirSync(folder).every(isLeftover)
    if (!existsSync(files.config) && isForeign) findings.conflicts.push(`${name}: is not a run`)
    return 'new'
  }
  const recorded = run?.record.configSha256
  if (recorded !== undefined && recorded !== configSha256(config)) findings.earlierConfigs.set(name, recorded)
  const found = recognise(files, config)
  if (found.kind === 'none') findings.conflicts.push(`${name}: is not a run`)
  if (found.kind === 'shorter') return 'shorter'
  if (found.kind === 'other') {
    const prefix = run === undefined ? name : `${name} (${run.record.status})`
    findings.conflicts.push(...found.differences.map((line) => `${prefix}: ${line}`))
  }
  if (found.kind !== 'same') return 'begun'
  const damage = [
    ...new Map([...(run?.damage ?? []), ...found.damage].map((each) => [each.file, each])).values(),
  ]
  if (damage.length > 0) {
    findings.damage.push(`${name}: ${damage.map(damageText).join('; ')}`)
    return 'damaged'
  }
  return found.record?.status === 'completed' ? 'done' : 'begun'
}
