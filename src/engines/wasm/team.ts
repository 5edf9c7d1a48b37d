import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { packageRoot } from '../../package-root.js'
import type { WasmCalls } from './instance.js'
import type { Answer, Call, WorkerTask } from './worker.js'

/** Compiled, even where this module is read as TypeScript: Node 20 starts no worker from that. */
const workerFile = join(packageRoot, 'dist', 'engines', 'wasm', 'worker.js')

interface Pending {
  readonly resolve: (value: number) => void
  readonly reject: (error: Error) => void
}

/** The threads of a trainer: a worker for each member of the core's team. One call at a time. */
export class Team {
  readonly #workers: readonly Worker[]
  #pending: Pending | null = null
  #failure: Error | null = null

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, stackTops: readonly number[]) {
    this.#workers = stackTops.map((stackTop, member) => {
      const workerData: WorkerTask = { module, memory, member, stackTop }
      return this.#start(workerData)
    })
  }

  get busy(): boolean {
    return this.#pending !== null
  }

  call<Name extends keyof WasmCalls>(name: Name, ...args: Parameters<WasmCalls[Name]>): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    const call: Call = { name, args }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#workers[0]!.ref()
      this.#workers[0]!.postMessage(call)
    })
  }

  /** Ends the threads wherever they are; a call under way fails with `reason`. */
  async end(reason: Error): Promise<void> {
    this.#fail(reason)
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #start(workerData: WorkerTask): Worker {
    const worker = new Worker(workerFile, { workerData, execArgv: [] })
    worker.unref() // a trainer at rest keeps no process alive
    worker.on('message', (answer: Answer) => this.#settle(answer))
    worker.on('error', (error: Error) => this.end(error))
    return worker
  }

  #settle(answer: Answer): void {
    if ('error' in answer) return void this.end(new Error(answer.error))
    this.#take()?.resolve(answer.value ?? 0)
  }

  #fail(reason: Error): void {
    this.#failure ??= reason
    this.#take()?.reject(this.#failure)
  }

  #take(): Pending | null {
    const pending = this.#pending
    this.#pending = null
    this.#workers[0]?.unref()
    return pending
  }
}
