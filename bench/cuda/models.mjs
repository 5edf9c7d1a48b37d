// Measures how long an epoch takes for one model, and for several that train side by side. The first epoch is not
// measured: the queue learns from it how many steps a launch can have.
import { parseArgs } from 'node:util'
import { loadDataSet } from '../../dist/data/load.js'
import { openCore } from './core.mjs'
import { arms } from './job.mjs'

const { values: options } = parseArgs({
  options: {
    arm: { type: 'string', default: 'eigen' },
    models: { type: 'string', default: '1,4,8,16,32,64' },
    images: { type: 'string', default: '60000' },
  },
})
const spec = arms[options.arm]
const never = new AbortController().signal
const { train } = await loadDataSet('mnist')
const images = train.images.pixels.subarray(0, Number(options.images) * 784)
const engine = await openCore(spec)
console.log(`${options.arm}, ${options.images} images, ${engine.atOnce} models at once`)

for (const count of options.models.split(',').map(Number)) {
  const seconds = await secondsOfEpoch(count)
  console.log(`${String(count).padStart(4)} models: ${seconds.toFixed(3)} s an epoch of all`)
}

async function secondsOfEpoch(count) {
  const seeds = Array.from({ length: count }, (_, seed) => seed)
  const trainers = await Promise.all(seeds.map((seed) => engine.createTrainer({ ...spec, seed }, images)))
  const epoch = (number) =>
    Promise.all(trainers.map((trainer) => trainer.trainEpoch(number, () => {}, never)))
  await epoch(1)
  const started = performance.now()
  await epoch(2)
  const seconds = (performance.now() - started) / 1000
  await Promise.all(trainers.map((trainer) => trainer.dispose()))
  return seconds
}
