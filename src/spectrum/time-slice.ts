import { setImmediate } from 'node:timers/promises'

const sliceMilliseconds = 20

/** A time slice of a long computation. The event loop runs between slices, so Ctrl-C works. */
export class TimeSlice {
  readonly #signal: AbortSignal | undefined
  #end = performance.now() + sliceMilliseconds

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  isOver(): boolean {
    return performance.now() > this.#end
  }

  /** Lets the event loop run, then starts the next slice. @throws the signal's reason if it is aborted. */
  async next(): Promise<void> {
    await setImmediate()
    this.#signal?.throwIfAborted()
    this.#end = performance.now() + sliceMilliseconds
  }
}
