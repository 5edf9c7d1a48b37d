import { setImmediate } from 'node:timers/promises'

const turnMilliseconds = 20

/** Of a long computation: between two of them the process's other work comes up, Ctrl-C among it. */
export class Turns {
  #end = performance.now() + turnMilliseconds

  isOver(): boolean {
    return performance.now() > this.#end
  }

  async next(): Promise<void> {
    await setImmediate()
    this.#end = performance.now() + turnMilliseconds
  }
}
