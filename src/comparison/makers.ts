import type { WholeRun } from '../runs/read.js'

/** The parts of what trained a run that can change its results. The number of threads cannot. */
const makers: readonly { readonly what: string; readonly of: (run: WholeRun) => string }[] = [
  { what: 'device', of: ({ record }) => record.device },
  { what: 'engine', of: ({ record }) => `${record.engine.name} ${record.engine.variant}` },
  { what: 'eigenae', of: ({ record }) => record.versions.eigenae },
]

/** A part in which samples of runs differ. */
export interface DifferingMaker {
  readonly what: string
  /** One for each sample: its runs' values, each once. */
  readonly values: readonly string[]
}

/** Returns the parts whose sets of values are not the same in all samples. */
export function differingMakers(samples: readonly (readonly WholeRun[])[]): readonly DifferingMaker[] {
  return makers
    .map(({ what, of }) => ({
      what,
      values: samples.map((runs) => [...new Set(runs.map(of))].sort().join(' and ')),
    }))
    .filter(({ values }) => new Set(values).size > 1)
}

/** "device (cpu, cuda), engine (native avx2, tensorflow 2.15)": the parts with every value that they have. */
export function makersText(differing: readonly DifferingMaker[]): string {
  return differing.map(({ what, values }) => `${what} (${[...new Set(values)].join(', ')})`).join(', ')
}
