import { parentPort, workerData } from 'node:worker_threads'
import { instantiate, type WasmCalls } from './instance.js'

/** What a worker is told at its start. */
export interface WorkerTask {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  /** Of the core's team: member 0 takes the calls, the others wait in the module for what it gives them. */
  readonly member: number
  readonly stackTop: number
}

export interface Call {
  readonly name: keyof WasmCalls
  readonly args: readonly number[]
}

export type Answer = { readonly value: number | undefined } | { readonly error: string }

const { module, memory, member, stackTop } = workerData as WorkerTask
const exports = instantiate(module, memory)
exports.__stack_pointer.value = stackTop

if (member > 0) exports.serve(member)
parentPort?.on('message', (call: Call) => parentPort?.postMessage(answer(call)))

function answer({ name, args }: Call): Answer {
  try {
    const run = exports[name] as (...args: readonly number[]) => number | undefined
    return { value: run(...args) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}
