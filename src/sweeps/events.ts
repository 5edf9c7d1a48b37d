/** What a sweep tells while it runs; `--json` prints each as a line. Times are seconds. */
export type SweepEvent =
  | {
      readonly event: 'planned'
      readonly sweep: string
      readonly folder: string
      readonly runs: number
      /** Complete before the sweep began. */
      readonly done: number
      readonly launcher: string
      readonly description: string
    }
  | { readonly event: 'started'; readonly run: string; readonly attempt: number; readonly where: string }
  | {
      readonly event: 'epoch'
      readonly run: string
      readonly epoch: number
      readonly epochs: number
      readonly test_mse: number
    }
  | {
      readonly event: 'completed'
      readonly run: string
      readonly seconds: number
      readonly test_mse: number | null
    }
  | {
      readonly event: 'failed'
      readonly run: string
      readonly attempt: number
      /** Whether another attempt follows. */
      readonly again: boolean
      readonly reason: string
      readonly log: string
    }
  | { readonly event: 'interrupted'; readonly run: string }
  | { readonly event: 'requeued'; readonly run: string; readonly why: string }
  | { readonly event: 'note'; readonly text: string }
  | ({ readonly event: 'finished' } & SweepCounts)

export interface SweepCounts {
  /** By this command. */
  readonly completed: number
  readonly failed: number
  /** Neither completed nor failed: interrupted, detached, or never begun. */
  readonly left: number
  readonly seconds: number
  /** Measured over this command; null where no run was completed. */
  readonly runs_per_hour: number | null
}

export interface SweepObserver {
  on(event: SweepEvent): void
}
