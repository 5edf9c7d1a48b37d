import { setImmediate } from 'node:timers/promises'
import type { Procedure } from '../tensorflow-graph/graph.js'
import type { Protocol } from '../tensorflow-graph/saved-model.js'
import { loadProtocol, loadTensorflowBinding, type TensorflowBinding } from './binding.js'
import { type CallName, ImageReceiver, type Reply, type Request, type WorkerCalls } from './messages.js'
import { meanOverReplicas } from './replica-losses.js'
import { Session } from './session.js'
import { ReplicaTrainer, type StepWatch } from './trainer.js'

/** The main module of the process that runs TensorFlow: answers the calls of process.ts. */

const yieldMilliseconds = 15
const progressMilliseconds = 100

const images = new ImageReceiver()
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
  create: (spec, trainingImages, device) => {
    const devices = { device: `/device:${device.toUpperCase()}:0`, host: '/device:CPU:0' }
    const open = (listed: readonly Procedure[]) => new Session(binding!, protocol!, listed, devices)
    trainer = new ReplicaTrainer(open, spec, trainingImages)
  },
  trainEpoch: async (epoch) => {
    stopped = false
    const losses = await trainer!.trainEpoch(epoch, watchSteps())
    if (losses !== null) send({ imagesDone: trainer!.imageCount, loss: meanOverReplicas(losses) })
    return losses
  },
  trainBatch: (clean, noisy) => trainer!.trainBatch(clean, noisy),
  encode: (replica, sent) => trainer!.encode(replica, images.receive(sent)),
  linearOutputs: (replica, sent) => trainer!.linearOutputs(replica, images.receive(sent)),
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

/** Every 15 ms lets the event loop read a message to stop; every 100 ms reports the progress. */
function watchSteps(): StepWatch {
  let yielded = performance.now()
  let reported = yielded
  return async (imagesDone, meanLoss) => {
    const now = performance.now()
    if (now - yielded < yieldMilliseconds) return stopped
    if (now - reported >= progressMilliseconds) {
      send({ imagesDone, loss: meanLoss() })
      reported = now
    }
    await setImmediate()
    yielded = performance.now()
    return stopped
  }
}

function send(reply: Reply): void {
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
  else void answer(request.call, request.args).then(send)
})
process.on('disconnect', () => process.exit())
// A terminal's Ctrl-C and a cluster's signals reach this process as well; the other process decides what to do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => {})
