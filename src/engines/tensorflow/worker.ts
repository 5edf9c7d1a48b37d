import { setImmediate } from 'node:timers/promises'
import { procedures } from '../tensorflow-graph/procedures.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'
import { loadTensorflowBinding, type TensorflowBinding } from './binding.js'
import { eagerProgram } from './eager/program.js'
import { graphProgram } from './graph-program.js'
import { ImageKeeper } from './kept-images.js'
import { loadProtocol, type Protocol } from './protocol.js'
import { meanOverReplicas } from './replica-losses.js'
import { ReplicaTrainer } from './trainer.js'
import type { CallName, Execution, Reply, Request, WorkerCalls } from './worker-calls.js'

/** The process that TensorFlow lives in: it answers the calls of process.ts. */

const yieldMilliseconds = 15
const progressMilliseconds = 100

const images = new ImageKeeper()
let binding: TensorflowBinding | null = null
let protocol: Protocol | null = null
let trainer: ReplicaTrainer | null = null
let stopped = false

const calls: WorkerCalls = {
  open: (addon, protocolFile) => {
    binding = loadTensorflowBinding(addon)
    protocol = loadProtocol(protocolFile)
    return { version: binding.TF_Version, gpu: binding.isUsingGpuDevice() }
  },
  create: (spec, trainingImages, execution) => {
    trainer = new ReplicaTrainer(programOf(spec, execution), spec, trainingImages)
  },
  trainEpoch: async (epoch) => {
    stopped = false
    const losses = await trainer!.trainEpoch(epoch, watchSteps())
    if (losses !== null) say({ imagesDone: trainer!.images, loss: meanOverReplicas(losses) })
    return losses
  },
  trainBatch: (clean, noisy) => trainer!.trainBatch(clean, noisy),
  encode: (replica, sent) => trainer!.encode(replica, images.receive(sent)),
  reconstruct: (replica, sent) => trainer!.reconstruct(replica, images.receive(sent)),
  meanSquaredError: (replica, sent, noise) => trainer!.meanSquaredError(replica, images.receive(sent), noise),
  getState: (replica) => trainer!.getState(replica),
  setState: (replica, state) => trainer!.setState(replica, state),
  usage: () => ({
    tensors: binding!.getNumOfTensors(),
    models: binding!.getNumOfSavedModels(),
    residentBytes: process.memoryUsage().rss,
  }),
}

function programOf(spec: NetworkSpec, { device, mode, eigen }: Execution) {
  const name = `/device:${device.toUpperCase()}:0`
  const devices = { device: name, host: '/device:CPU:0', eigen: eigen === 'host' ? '/device:CPU:0' : name }
  const all = procedures(spec)
  return mode === 'graph' ? graphProgram(binding!, protocol!, all, devices) : eagerProgram(binding!, all)
}

/** Between steps now and then: reads what was sent, says how far the epoch is. */
function watchSteps() {
  let yielded = performance.now()
  let said = yielded
  return async (imagesDone: number, meanLoss: () => number) => {
    const now = performance.now()
    if (now - yielded < yieldMilliseconds) return stopped
    if (now - said >= progressMilliseconds) {
      say({ imagesDone, loss: meanLoss() })
      said = now
    }
    await setImmediate()
    yielded = performance.now()
    return stopped
  }
}

function say(reply: Reply): void {
  process.send?.(reply)
}

async function answer(name: CallName, args: readonly unknown[]): Promise<Reply> {
  try {
    const call = calls[name] as (...args: readonly unknown[]) => unknown
    return { value: await call(...args) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

process.on('message', (request: Request) => {
  if ('stop' in request) stopped = true
  else void answer(request.call, request.args).then(say)
})
process.on('disconnect', () => process.exit())
// A terminal's Ctrl-C and a cluster's signals reach this process too: the other one decides what they mean.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => {})
