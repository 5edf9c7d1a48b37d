import { isOnGpu } from '../../engines/select.js'
import { usageError } from '../../errors.js'
import { count } from '../../text/format.js'
import { prepareRun } from '../attempt.js'
import type { LauncherKind, SweepRun } from '../launcher.js'
import { ArrayFiles } from './arrays.js'
import { maxArraySize, requireSlurm, submit } from './commands.js'
import { TaskFollower } from './tasks.js'

/**
 * Submits the runs as tasks of Slurm's job arrays. Tasks that an earlier command submitted and that have not ended are
 * followed rather than submitted again.
 */
export const slurm: LauncherKind = {
  flags: {
    partition: {
      flag: '--partition <name>',
      type: 'text',
      help: "partition (default: the cluster's)",
    },
    time: {
      flag: '--time <limit>',
      type: 'text',
      help: "a run's time limit in the notation of sbatch (default: the partition's)",
    },
    mem: {
      flag: '--mem <size>',
      type: 'text',
      help: "a run's memory in the notation of sbatch (default: the partition's)",
    },
    gpusPerRun: {
      flag: '--gpus-per-run <number>',
      type: 'count',
      help: 'GPUs per run (default: 1 with --device cuda, otherwise 0)',
    },
    maxParallel: {
      flag: '--max-parallel <number>',
      type: 'count',
      help: 'runs at once (default: as many as fit)',
    },
    sbatchArg: {
      flag: '--sbatch-arg <argument>',
      type: 'texts',
      help: 'additional argument for sbatch (repeatable)',
    },
    detach: {
      flag: '--detach',
      type: 'switch',
      help: 'submit and exit; --resume follows the tasks later',
    },
  },
  defaultThreads: '1',
  open: async (settings, runs, { sweepFolder, onInterrupt }) => {
    const { partition, time, mem, sbatchArg = [], maxParallel, detach = false, threads = 1 } = settings
    rejectReserved(sbatchArg)
    await requireSlurm()
    const needsGpu = runs.some(({ config }) => isOnGpu(config.device))
    const gpusPerRun = settings.gpusPerRun ?? (needsGpu ? 1 : undefined)
    const options = [
      ...(partition === undefined ? [] : [`--partition=${partition}`]),
      ...(time === undefined ? [] : [`--time=${time}`]),
      ...(mem === undefined ? [] : [`--mem=${mem}`]),
      ...(gpusPerRun === undefined ? [] : [`--gres=gpu:${gpusPerRun}`]),
      `--cpus-per-task=${threads}`,
      ...sbatchArg,
    ]
    return {
      description: `job arrays, ${['sbatch', ...options].join(' ')}`,
      launch: async (runs, watcher, stop) => {
        const files = new ArrayFiles(sweepFolder)
        const follower = new TaskFollower(watcher, files)
        const attached = await follower.attach(runs)
        if (attached.size > 0)
          watcher.onNote(`attached to ${count(attached.size, 'task')} that Slurm already has`)
        const others = runs.filter((run) => !attached.has(run))
        try {
          await submitArrays(files, others, threads, maxParallel, options, (array, part) => {
            follower.add(array, part)
            watcher.onNote(`submitted ${count(part.length, 'task')} as job array ${array}`)
          })
        } catch (error) {
          follower.detach()
          throw error
        }
        return detach ? follower.detach() : follower.followToEnd(stop, onInterrupt)
      },
    }
  },
}

/** The options that identify the tasks of a sweep, or that its files depend on. */
const reservedOptions = ['array', 'comment', 'output', 'parsable', 'wrap']

function rejectReserved(sbatchArg: readonly string[]): void {
  const reserved = sbatchArg.find(isReserved)
  if (reserved === undefined) return
  throw usageError({
    problem: `${reserved} is set by the sweep itself`,
    subject: '--sbatch-arg',
    hint: 'Leave it out.',
  })
}

/** sbatch accepts abbreviated names, and single letters for some. */
function isReserved(arg: string): boolean {
  const [, name] = /^--([\w-]+)/.exec(arg) ?? []
  return (
    /^-[ao]/.test(arg) || (name !== undefined && reservedOptions.some((option) => option.startsWith(name)))
  )
}

/**
 * Submits one array, or several if the cluster limits their size. With --max-parallel each of several waits for the one
 * before, so that the limit holds over all of them. A run's index in its array is that in `onSubmitted`.
 */
async function submitArrays(
  files: ArrayFiles,
  runs: readonly SweepRun[],
  threads: number,
  maxParallel: number | undefined,
  options: readonly string[],
  onSubmitted: (array: string, runs: readonly SweepRun[]) => void,
): Promise<void> {
  let previous: string | null = null
  const size = runs.length === 0 ? 1 : await maxArraySize()
  for (const run of runs) await prepareRun(run)
  for (let start = 0; start < runs.length; start += size) {
    const part = runs.slice(start, start + size)
    const { script, options: identity } = await files.write(part, threads)
    const limit = maxParallel === undefined ? '' : `%${maxParallel}`
    const after = limit === '' || previous === null ? [] : [`--dependency=afterany:${previous}`]
    const array = [`--array=0-${part.length - 1}${limit}`, '--requeue', '--open-mode=append', ...after]
    const id = await submit(script, ['--job-name=eigenae', ...identity, ...array, ...options])
    onSubmitted(id, part)
    previous = id
  }
}
