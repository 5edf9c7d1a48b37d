// The jobs of the CUDA core: an epoch of one model, and of several that train side by side, beside the C++ core.
import { availableParallelism } from 'node:os'
import { loadDataSet } from '../../dist/data/load.js'
import { selectEngine } from '../../dist/engines/select.js'
import { flopPerImage } from '../../dist/model/architecture.js'
import { openCore } from './core.mjs'
import { arms } from './job.mjs'

const never = new AbortController().signal

/** Returns the section, or the reason why the CUDA core cannot be measured. */
export async function cudaSection({ images, quick }) {
  const spec = { ...arms.eigen, threads: availableParallelism() }
  let cuda
  try {
    cuda = await openCore(spec)
  } catch (error) {
    return { missing: error.message.split('\n')[0] }
  }
  const { engine: cpu } = await selectEngine('cpu')
  const { train } = await loadDataSet('mnist')
  const pixels = train.images.pixels.subarray(0, images * train.images.pixelsPerImage)
  const counts = quick ? [1, 2] : [1, 4, 8, 16, 32, 64]
  const job = (engine, name, count) => ({
    name,
    batchSize: spec.batchSize,
    threads: spec.threads,
    images: count * images,
    gigaflop: (flopPerImage(spec) * count * images) / 1e9,
    open: () => open(engine, spec, pixels, count),
  })
  return {
    name: 'cuda',
    title: `The CUDA core, on ${cuda.origin}: top-k`,
    contenders: [
      job(cpu, 'C++ core', 1),
      ...counts.map((count) =>
        job(cuda, `cuda, ${count} ${count === 1 ? 'model' : 'models at once'}`, count),
      ),
    ],
  }
}

/** The first epoch is not measured: the queue learns from it how many steps a launch can have. */
async function open(engine, spec, pixels, count) {
  const seeds = Array.from({ length: count }, (_, seed) => seed)
  const trainers = await Promise.all(seeds.map((seed) => engine.createTrainer({ ...spec, seed }, pixels)))
  let epoch = 0
  const trainEpoch = () => {
    epoch++
    return Promise.all(trainers.map((trainer) => trainer.trainEpoch(epoch, () => {}, never)))
  }
  await trainEpoch()
  return {
    measure: async () => {
      const started = performance.now()
      await trainEpoch()
      return (performance.now() - started) / 1000
    },
    close: () => Promise.all(trainers.map((trainer) => trainer.dispose())),
  }
}
