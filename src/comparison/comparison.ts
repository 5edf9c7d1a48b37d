// The arms of a comparison and its results. compare.ts makes them.
import type { Config } from '../config/schema.js'
import type { EigenaeError } from '../errors.js'
import type { Metric } from '../runs/metrics.js'
import type { WholeRun } from '../runs/read.js'
import type { Difference, Summary } from './statistics.js'
import type { SavedSweep, SweepPlace } from './sweep-arms.js'

export interface Comparison {
  /**
   * In the order of the sweep file or of the arguments, with a baseline that --baseline names first, or in the order of --sort.
   * This is the order of rows and of colours: pictures and pages draw the arms that `drawnOf` in plots/drawn.ts keeps, with the
   * colours of plots/theme.ts from the first on.
   */
  readonly arms: readonly Arm[]
  /** The arm that the others are tested against: the one whose `baseline` is true. */
  readonly baseline: Arm
  /** False if the baseline is merely the first arm of a grid or a search that names none. */
  readonly tested: boolean
  /** The metric by which arms are sorted and, if there are too many, kept in the pictures. */
  readonly rankedBy: Metric
  /** Whether --sort or --top ranks the arms. */
  readonly ranked: boolean
  /** The sweep that made all arms; null if there is none. */
  readonly sweep: SavedSweep | null
  /** The results of each metric are adjacent, in the order of the arms. */
  readonly results: readonly Result[]
  /** The parts of the labels that all rows share, for titles: "top-k, k=2"; "" if there are none. */
  readonly shared: string
  /** The arms without a completed run. */
  readonly dropped: readonly LabelledArm[]
  /** The number of arms from which the best one is chosen: all arms of the sweeps, even if few are compared; null without a choice. */
  readonly chosenAmong: number | null
  /** The trials that a halving stopped at an earlier rung than the compared ones. */
  readonly stopped: readonly LabelledArm[]
  readonly warnings: readonly string[]
}

/** The runs of an arm: one run, or the runs of a folder, which differ only in their seeds. */
export interface ArmRuns {
  /** The arm's folder, as it was named in the arguments. */
  readonly name: string
  /** Null if the arm is not one of a sweep. */
  readonly place: SweepPlace | null
  /** Completed runs. */
  readonly runs: readonly WholeRun[]
  /** Runs that are not complete. */
  readonly leftOut: readonly WholeRun[]
  /** Runs that are damaged or cannot be read. */
  readonly unusable: readonly UnusableRun[]
}

export interface UnusableRun {
  readonly folder: string
  readonly error: EigenaeError
}

export interface ArmNames {
  /**
   * The name of the arm in files and messages: the variant of the sweep file, followed by the values of the grid ("eigen
   * weight=0.1"), or the name of the folder, or else of the config. No two arms of a comparison have the same label.
   */
  readonly label: string
  /** The label without the parts that all rows share: the name in tables, legends and pictures, which are as distinct. */
  readonly shown: string
}

/** An arm that need not be compared. */
export interface LabelledArm extends ArmRuns, ArmNames {}

/** A config path that a sweep varies, with its value in one arm. */
export interface Setting {
  readonly path: string
  /** The last keys of the path, as few as keep the settings of an arm distinct: "weight". */
  readonly name: string
  /** Undefined if the config has no such field. */
  readonly value: unknown
}

/** An arm with its labels. */
export interface Arm extends LabelledArm {
  /** Whether the other arms are tested against this one. */
  readonly baseline: boolean
  /** The settings that distinguish its config from the baseline's, for a column or a tooltip; "" if there are none. */
  readonly difference: string
  /** The values of the sweep's grid and search in this arm, in the order of the sweep file; empty without a sweep. */
  readonly settings: readonly Setting[]
  readonly config: Config
}

/** One metric of one arm: a row of comparison.csv. */
export interface Result {
  readonly arm: Arm
  readonly metric: Metric
  readonly summary: Summary
  /** The difference from the baseline; null for the baseline itself. */
  readonly versus: (Difference & { readonly correctedP: number | null }) | null
  /** Whether this mean is the best of all arms' means. */
  readonly best: boolean
}
