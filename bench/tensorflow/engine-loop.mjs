// One contender of bench/tensorflow.mjs: this project's engine.
import { tensorflowEngine } from '../../dist/engines/tensorflow/engine.js'
import { digits, spec } from './job.mjs'

const [steps, threads] = process.argv.slice(2)
const trainer = await tensorflowEngine('tensorflow-cpu').createTrainer(
  { ...spec, threads: Number(threads) },
  digits(Number(steps) * spec.batchSize),
)
let epoch = 0

process.on('message', async () => {
  const started = performance.now()
  await trainer.trainEpoch(++epoch, () => {}, new AbortController().signal)
  process.send({ milliseconds: (performance.now() - started) / Number(steps) })
})
process.on('disconnect', () => trainer.dispose().then(() => process.exit()))
