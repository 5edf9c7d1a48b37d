import { type ArmRuns, readArms } from '../comparison/compare.js'
import { differenceLabels, shortNames } from '../comparison/differences.js'
import { unusableText } from '../comparison/warnings.js'
import { usageError } from '../errors.js'
import type { WholeRun } from '../runs/read.js'

const mostRuns = 2

export interface ChosenRun {
  readonly run: WholeRun
  /** Short, and no other run of the page has it. */
  readonly name: string
  /** On the other runs of its folder, if they are damaged. */
  readonly notes: readonly string[]
  /** What of its config is not as in the other; "" where nothing is, or where it is alone. */
  readonly difference: string
}

/** The one or two runs that the arguments name; of a folder of runs over their seeds, the first that is complete. */
export async function chooseRuns(folders: readonly string[]): Promise<readonly ChosenRun[]> {
  const { arms: groups } = await readArms(folders, undefined)
  if (groups.length > mostRuns) {
    const named =
      folders.length === groups.length ? folders.join(' ') : `${folders.join(' ')} and what is in it`
    throw usageError({
      problem: `${named}: ${groups.length} runs, a page shows one, or two side by side`,
      details: groups.slice(0, 10).map(({ name }) => name),
      hint: 'Name one or two of them; eigenae compare takes any number.',
    })
  }
  const runs = groups.map(firstOf)
  const names = shortNames(groups.map(({ name }) => name))
  const differences = differenceLabels(runs.map(({ config }) => config))
  return runs.map((run, index) => ({
    run,
    name: names[index]!,
    notes: groups[index]!.unusable.map((each) => unusableText(each, groups[index]!.name)),
    difference: runs.length === 1 ? '' : differences[index]!,
  }))
}

function firstOf({ runs, leftOut, unusable }: ArmRuns): WholeRun {
  const first = runs[0] ?? leftOut[0]
  if (first === undefined) throw unusable[0]!.error
  return first
}
