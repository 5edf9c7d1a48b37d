/** Follows a setup. */
export interface Observer {
  /** Something that takes its time begins. */
  readonly step: (what: string) => void
  /** How much of the present step's download has come, in bytes. */
  readonly progress: (done: number, total: number) => void
}
