/**
 * Collects the rows of a table epoch by epoch, of at most 1,024 epochs and the last: beyond that only those of every 2nd,
 * 4th, 8th, … epoch are kept, the same in all runs of a length. Memory stays bounded however long a run was.
 */
export class KeptEpochs<Row extends { readonly epoch: number }> {
  #kept: Row[] = []
  /** Of the epoch that is being read, unless it is kept already. */
  #latest: Row[] = []
  #keptEpochs = 0
  #lastKept = -1
  #step = 1

  add(row: Row): void {
    if (row.epoch % this.#step !== 0) {
      if (this.#latest[0]?.epoch !== row.epoch) this.#latest = []
      this.#latest.push(row)
      return
    }
    this.#latest = []
    this.#kept.push(row)
    if (row.epoch === this.#lastKept) return
    this.#lastKept = row.epoch
    this.#keptEpochs++
    if (this.#keptEpochs > 1024) this.#halve()
  }

  get rows(): readonly Row[] {
    return [...this.#kept, ...this.#latest]
  }

  #halve(): void {
    this.#step *= 2
    const before = this.#kept
    this.#kept = before.filter(({ epoch }) => epoch % this.#step === 0)
    this.#latest = before.filter(({ epoch }) => epoch === this.#lastKept && epoch % this.#step !== 0)
    this.#keptEpochs = new Set(this.#kept.map(({ epoch }) => epoch)).size
  }
}
