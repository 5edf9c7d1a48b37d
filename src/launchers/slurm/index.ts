import { usageError } from '../../errors.js'
import { prepareRun } from '../attempt.js'
import type { Launcher, SweepRun } from '../launcher.js'
import { ArrayFiles } from './arrays.js'
import { maxArraySize, requireSlurm, submit } from './commands.js'
import { TaskFollower } from './following.js'

export interface SlurmSettings {
  readonly partition?: string
  readonly time?: string
  readonly mem?: string
  readonly gpusPerRun?: number
  readonly maxParallel?: number
  readonly sbatchArg?: readonly string[]
  /** Submit, and leave. */
  readonly detach?: boolean
  readonly threads?: number
}

export interface SlurmContext {
  readonly sweepFolder: string
  /** Asked at Ctrl-C: are the jobs to be cancelled, or do they go on alone? */
  readonly onInterrupt: () => Promise<'cancel' | 'detach'>
}

/** Runs as tasks of job arrays. What is at work already, left by an earlier command, is followed and not done twice. */
export async function slurmLauncher(settings: SlurmSettings, context: SlurmContext): Promise<Launcher> {
  refuseOwnOptions(settings.sbatchArg ?? [])
  await requireSlurm()
  const options = sbatchOptions(settings)
  return {
    description: `job arrays, ${['sbatch', ...options].join(' ')}`,
    launch: async (jobs, watcher, stop) => {
      const files = new ArrayFiles(context.sweepFolder)
      const following = new TaskFollower(watcher, files)
      const attached = await following.attach(jobs)
      if (attached.size > 0) watcher.onNote(`attached to ${attached.size} tasks that Slurm already has`)
      const others = jobs.filter((job) => !attached.has(job))
      try {
        for await (const array of submitArrays(files, others, settings, options)) {
          following.add(array.id, array.runs)
          watcher.onNote(`submitted ${array.runs.length} tasks as job array ${array.id}`)
        }
      } catch (error) {
        following.detach()
        throw error
      }
      return settings.detach ? following.detach() : following.followToEnd(stop, context.onInterrupt)
    },
  }
}

/** What tells the tasks of a sweep apart from others, and what they write, is set here. */
const ownOptions = ['array', 'comment', 'output', 'parsable', 'wrap']

function refuseOwnOptions(sbatchArg: readonly string[]): void {
  const own = sbatchArg.find(isOwn)
  if (own === undefined) return
  throw usageError({
    problem: `${own} is set by the sweep itself`,
    subject: '--sbatch-arg',
    hint: 'Leave it out.',
  })
}

/** sbatch takes the beginning of a name for the name, and a letter for some. */
function isOwn(arg: string): boolean {
  const [, name] = /^--([\w-]+)/.exec(arg) ?? []
  return /^-[ao]/.test(arg) || (name !== undefined && ownOptions.some((own) => own.startsWith(name)))
}

function sbatchOptions(settings: SlurmSettings): readonly string[] {
  const { partition, time, mem, gpusPerRun, threads = 1, sbatchArg = [] } = settings
  return [
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...(time === undefined ? [] : [`--time=${time}`]),
    ...(mem === undefined ? [] : [`--mem=${mem}`]),
    ...(gpusPerRun === undefined ? [] : [`--gres=gpu:${gpusPerRun}`]),
    `--cpus-per-task=${threads}`,
    ...sbatchArg,
  ]
}

/**
 * One array, or several where a cluster limits their size: then each waits for the one before, if --max-parallel is to
 * hold over all of them.
 */
async function* submitArrays(
  files: ArrayFiles,
  jobs: readonly SweepRun[],
  { maxParallel, threads = 1 }: SlurmSettings,
  options: readonly string[],
): AsyncGenerator<SubmittedArray> {
  let before: string | null = null
  const size = jobs.length === 0 ? 1 : await maxArraySize()
  for (const job of jobs) await prepareRun(job)
  for (let start = 0; start < jobs.length; start += size) {
    const part = jobs.slice(start, start + size)
    const { script, options: ownOptions } = await files.write(part, threads)
    const limit = maxParallel === undefined ? '' : `%${maxParallel}`
    const after = limit === '' || before === null ? [] : [`--dependency=afterany:${before}`]
    const array = [`--array=0-${part.length - 1}${limit}`, '--requeue', '--open-mode=append', ...after]
    const id: string = await submit(script, ['--job-name=eigenae', ...ownOptions, ...array, ...options])
    yield { id, runs: part }
    before = id
  }
}

interface SubmittedArray {
  readonly id: string
  /** By their index in the array. */
  readonly runs: readonly SweepRun[]
}
