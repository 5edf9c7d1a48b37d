import { parentPort, workerData } from 'node:worker_threads'
import { type Answer, type Call, instantiate, type WorkerTask } from './core.js'

const { module, memory, thread, stackTop } = workerData as WorkerTask
const exports = instantiate(module, memory)
exports.__stack_pointer.value = stackTop

// V8 checks memory.fill, memory.copy and atomic operations against a size that each thread caches. Growth by one thread
// is announced only to those that have already read the memory from their message, and a thread that is reading it takes
// the size at the beginning (V8's backing-store.cc; Node 20, 22 and 24). If the memory grows in between, for example by
// setState, this thread keeps the old size and traps with "memory access out of bounds". Growing by nothing reads the size
// again. Later growth is announced to this thread, and it reacts at the entry of the next function.
memory.grow(0)

if (thread > 0) exports.serve(thread)
parentPort?.on('message', (call: Call) => parentPort?.postMessage(answer(call)))

function answer({ name, args }: Call): Answer {
  try {
    return { value: exports[name](...args) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}
