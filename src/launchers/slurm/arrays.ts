import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { hasCode } from '../../errors.js'
import { makeInnerFolder } from '../../files/folder.js'
import { readLastText, readTextIfPresent } from '../../files/read.js'
import { writeTogether } from '../../files/write.js'
import { logName } from '../../runs/files.js'
import { commandLine } from '../../text/command-line.js'
import { beginLogInShell, hiddenCommand } from '../attempt.js'
import type { SweepRun } from '../launcher.js'
import type { Task } from './commands.js'

/**
 * The files of a sweep's job arrays, in its folder slurm/: array-<n>.txt lists one run folder per line, array-<n>.sh is
 * the script that trains the run of one task, and Slurm writes its messages to array-<n>.out. Each task's comment holds
 * n, so that a later command can match the tasks in squeue to their runs.
 */
export class ArrayFiles {
  readonly #folder: string
  readonly #sweepFolder: string

  constructor(sweepFolder: string) {
    this.#sweepFolder = resolve(sweepFolder)
    this.#folder = join(this.#sweepFolder, 'slurm')
  }

  /** Writes the files of another array; returns its script, and the options of sbatch that identify its tasks. */
  async write(
    runs: readonly SweepRun[],
    threads: number,
  ): Promise<{ script: string; options: readonly string[] }> {
    await makeInnerFolder(this.#folder)
    const number = 1 + Math.max(0, ...(await this.#numbers()))
    const file = (ending: string) => join(this.#folder, `array-${number}.${ending}`)
    const list = file('txt')
    const script = file('sh')
    await writeTogether([
      { file: list, content: runs.map(({ folder }) => `${folder}\n`).join('') },
      { file: script, content: scriptText(list, threads) },
    ])
    return { script, options: [`--comment=${this.#comment(number)}`, `--output=${file('out')}`] }
  }

  /** Returns the run folders of those tasks that belong to this sweep. */
  async foldersOf(tasks: readonly Task[]): Promise<ReadonlyMap<Task, string>> {
    const folders = new Map<Task, string>()
    for (const number of await this.#numbers()) {
      const own = tasks.filter(({ comment }) => comment === this.#comment(number))
      if (own.length === 0) continue
      const lines = (readTextIfPresent(join(this.#folder, `array-${number}.txt`)) ?? '').split('\n')
      for (const task of own) folders.set(task, lines[task.index] ?? '')
    }
    return folders
  }

  /** Returns Slurm's messages about a task, from the output file that the tasks of an array share. */
  messagesOf({ comment, id, jobId }: Task): string {
    const number = comment.split(' ').at(-1)
    const text = readLastText(join(this.#folder, `array-${number}.out`), messageBytes) ?? ''
    const names = [`StepId=${id}.`, `StepId=${jobId}.`, `JOB ${jobId} `, `task ${id.split('_')[1]} on `]
    return text
      .split('\n')
      .filter((line) => names.some((name) => line.includes(name)))
      .join('\n')
  }

  #comment(number: number): string {
    return `eigenae ${this.#sweepFolder} ${number}`
  }

  async #numbers(): Promise<readonly number[]> {
    try {
      const names = await readdir(this.#folder)
      return names.flatMap((name) => /^array-(\d+)\.txt$/.exec(name)?.[1] ?? []).map(Number)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return []
      throw error
    }
  }
}

// Slurm writes about one line per task, so this holds the messages of thousands.
const messageBytes = 1 << 20

/** Ends in `exec`, so that Slurm's signals reach the run itself. */
function scriptText(list: string, threads: number): string {
  const [node, cli, ...args] = hiddenCommand('sweep-job', '"$folder"', '--threads', String(threads))
  return `#!/bin/bash
folder=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" ${commandLine([list])})
if [ ! -d "$folder" ]; then
  echo "eigenae: task $SLURM_ARRAY_TASK_ID on $(hostname): this node cannot read the run folder '$folder'"
  exit 2
fi
if [ -L "$folder/${logName}" ] || { [ -e "$folder/${logName}" ] && [ ! -f "$folder/${logName}" ]; }; then
  echo "eigenae: task $SLURM_ARRAY_TASK_ID on $(hostname): '$folder/${logName}' is not a regular file"
  exit 2
fi
exec >> "$folder/${logName}" 2>&1
${beginLogInShell}
export OMP_NUM_THREADS=${threads} TF_NUM_INTRAOP_THREADS=${threads}
exec ${commandLine([node!, cli!])} ${args.join(' ')}
`
}
