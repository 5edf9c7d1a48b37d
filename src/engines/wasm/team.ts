import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { packageRoot } from '../../package-root.js'
import type { WasmCalls } from './instance.js'
import type { Answer, Call, WorkerTask } from './worker.js'

/** The compiled file, even if this module is loaded as TypeScript, because Node 20 cannot start a worker from TypeScript. */
const workerFile = join(packageRoot, 'dist', 'engines', 'wasm', 'worker.js')

interface Pending {
  readonly resolve: (value: number) => void
  readonly reject: (error: Error) => void
}

/** The threads of a trainer: a worker for each thread of the core's team. Runs one call at a time. */
export class Team {
  readonly #workers: readonly Worker[]
  #pending: Pending | null = null
  #failure: Error | null = null

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, stackTops: readonly number[]) {
    this.#workers = stackTops.map((stackTop, thread) => {
      const workerData: WorkerTask = { module, memory, thread, stackTop }
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

  /** Terminates the threads. A call that is running fails with `reason`. */
  async end(reason: Error): Promise<void> {
    this.#fail(reason)
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #start(workerData: WorkerTask): Worker {
    const worker = new Worker(workerFile, { workerData, execArgv: [] })
    worker.unref() // an idle trainer must not keep the process alive
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
