// What scripts/gpu-check.sh measures of one device, a line each. Exit code 1 where the device cannot be used or is wrong.
import { parseArgs } from 'node:util'
import { tensorflowEngine } from '../../dist/engines/tensorflow/engine.js'
import { checkTrainingStep } from '../../dist/engines/tensorflow/self-check.js'
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

const measurements = { start, modes, replicas }
await measurements[options.what]()

/** From nothing to the right numbers: on a card that TensorFlow was not built for, the first start compiles. */
async function start() {
  const started = performance.now()
  await checkTrainingStep(tensorflowEngine(device))
  console.log(`right numbers after ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

async function modes() {
  for (const [name, mode] of [
    ['op by op', { mode: 'eager' }],
    ['graph, eigenvectors on the host', { eigen: 'host' }],
    ['graph, eigenvectors on the device', { eigen: 'device' }],
  ]) {
    const milliseconds = await millisecondsOf(mode, [spec])
    console.log(`${name.padEnd(34)} ${milliseconds.toFixed(3)} ms a step`)
  }
}

async function replicas() {
  for (const count of options.replicas.split(',').map(Number)) {
    const specs = Array.from({ length: count }, (_, seed) => ({ ...spec, seed }))
    const milliseconds = await millisecondsOf({}, specs)
    const rate = (count * spec.batchSize * 1000) / milliseconds
    console.log(
      `R = ${String(count).padEnd(4)} ${milliseconds.toFixed(3)} ms a step, ${Math.round(rate)} images/s`,
    )
  }
}

/** The second epoch's: the first also optimises the graph. */
async function millisecondsOf(mode, specs) {
  const trainer = await tensorflowEngine(device, mode).createReplicas(specs, images)
  try {
    await trainer.trainEpoch(1, () => {}, never)
    const started = performance.now()
    await trainer.trainEpoch(2, () => {}, never)
    return (performance.now() - started) / steps
  } finally {
    await trainer.dispose()
  }
}
