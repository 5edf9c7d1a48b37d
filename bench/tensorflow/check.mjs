// The measurements of scripts/gpu-check.sh on one device, a line each. The exit code is 1 if the device cannot be used or
// its numbers are wrong.
import { parseArgs } from 'node:util'
import { checkTrainingStep } from '../../dist/engines/self-check.js'
import { tensorflowEngine } from '../../dist/engines/tensorflow/engine.js'
import { digits, spec } from './job.mjs'

const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    what: { type: 'string' },
    steps: { type: 'string', default: '200' },
    replicas: { type: 'string', default: '1,8,64,256' },
  },
})
const { device } = options
const steps = Number(options.steps)
const never = new AbortController().signal
const images = digits(steps * spec.batchSize)

const measurements = { start, replicas }
await measurements[options.what]()

/** Measures a start and the check: on a card that TensorFlow was not built for, the first start compiles. */
async function start() {
  const started = performance.now()
  await checkTrainingStep(tensorflowEngine(device))
  console.log(`right numbers after ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

async function replicas() {
  for (const count of options.replicas.split(',').map(Number)) {
    const specs = Array.from({ length: count }, (_, seed) => ({ ...spec, seed }))
    const milliseconds = await millisecondsOf(specs)
    const rate = (count * spec.batchSize * 1000) / milliseconds
    console.log(
      `R = ${String(count).padEnd(4)} ${milliseconds.toFixed(3)} ms a step, ${Math.round(rate)} images/s`,
    )
  }
}

/** Measures the second epoch: in the first one TensorFlow also optimises the graph. */
async function millisecondsOf(specs) {
  const trainer = await tensorflowEngine(device).createReplicas(specs, images)
  try {
    await trainer.trainEpoch(1, () => {}, never)
    const started = performance.now()
    await trainer.trainEpoch(2, () => {}, never)
    return (performance.now() - started) / steps
  } finally {
    await trainer.dispose()
  }
}
