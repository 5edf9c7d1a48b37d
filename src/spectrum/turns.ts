import { setImmediate } from 'node:timers/promises'

const turnMilliseconds = 20

/** A time slice of a long computation. The event loop runs between slices, so Ctrl-C works. */
export class Turns {
  readonly #signal: AbortSignal | undefined
  #end = performance.now() + turnMilliseconds

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  isOver(): boolean {
    return performance.now() > this.#end
  }

  /** @throws the signal's reason once it is aborted. */
  async next(): Promise<void> {
    await setImmediate()
    this.#signal?.throwIfAborted()
    this.#end = performance.now() + turnMilliseconds
  }
}
