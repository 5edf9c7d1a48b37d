// The jobs of this project, through the engine's interface.
import { availableParallelism } from 'node:os'
import { eigenLossKinds } from '../dist/config/eigen-loss-kinds.js'
import { configSchema } from '../dist/config/schema.js'
import { loadDataSet } from '../dist/data/load.js'
import { selectEngine } from '../dist/engines/select.js'
import { flopPerImage } from '../dist/model/architecture.js'
import { trainerSpec } from '../dist/training/spec.js'
import { normalisedUnits } from './peers.mjs'

const { engine } = await selectEngine('cpu')
const { train, test } = await loadDataSet('mnist')

const topK = { loss: { eigen: { kind: 'top-k' } } }

/** Measures the requested parts, the jobs of each part in turns. */
export function ourSections(options) {
  const two = Math.min(2, availableParallelism())
  const sections = [
    { name: 'peers', title: 'Beside JAX and PyTorch: top-k', contenders: besidePeers(two) },
    { name: 'arms', title: 'Arms, latent dimensions and widths', contenders: arms(two) },
    { name: 'losses', title: 'Eigen losses, averaging and schedules', contenders: losses(two, options) },
    { name: 'growth', title: 'Growth: top-k', contenders: growth(two, options) },
  ]
  return sections
    .filter(({ name }) => options.only.includes(name))
    .map((section) => ({
      ...section,
      contenders: section.contenders.map((each) => contender(each, options)),
    }))
}

function besidePeers(two) {
  const normalised = { ...topK, model: { batchNorm: 'all' } }
  const job = (name, fields, batchSize, threads) => ({ name, fields, batchSize, threads })
  return [
    ...[64, 256].flatMap((batchSize) => [two, 1].map((threads) => job('eigenae', topK, batchSize, threads))),
    ...[two, 1].map((threads) => job('eigenae, batch norm', normalised, 64, threads)),
  ]
}

function arms(threads) {
  const eigen = (loss, ...encoder) => ({ loss: { eigen: loss }, ...model(...encoder) })
  const model = (...encoder) => (encoder.length === 0 ? {} : { model: { widths: [784, ...encoder] } })
  const job = (name, batchSize, fields) => ({ name, batchSize, fields, threads })
  return [
    job('top-k', 64, topK),
    job('none', 64, {}),
    job('log-max', 64, eigen({ kind: 'log-max' })),
    job('batch norm all', 64, { model: { batchNorm: 'all' } }),
    job('latent 2', 64, eigen({ kind: 'top-k', k: 1 }, 128, 64, 12, 2)),
    job('latent 4', 64, eigen({}, 128, 64, 12, 4)),
    job('784-256-128-32', 64, eigen({}, 256, 128, 32)),
    // An eigen loss of 64 dimensions needs a batch of more than 64 images.
    job('latent 64, none', 64, model(128, 64, 12, 64)),
    job('784-512-256-128-64, none', 64, model(512, 256, 128, 64)),
    job('top-k', 256, topK),
    job('latent 64', 256, eigen({}, 128, 64, 12, 64)),
    job('784-512-256-128-64', 256, eigen({}, 512, 256, 128, 64)),
  ]
}

// The number of zeros that can be skipped changes during training. Jobs that are compared therefore keep the state that one
// epoch has led to.
const stillRate = 1e-30

/** Every kind on the latent layer and some on hidden layers, averaging, and schedules. */
function losses(threads, { images }) {
  const start = once(() => stateAfterEpoch(configOf(topK, 64), threads, images))
  const averaging = { kind: 'ema', decay: 0.998 }
  const averagingStart = once(() =>
    stateAfterEpoch(configOf({ ...topK, optimizer: { averaging } }, 64), threads, images),
  )
  const job = (name, eigen, optimizer = {}) => ({
    name,
    batchSize: 64,
    threads,
    fields: { loss: { eigen }, optimizer: { learningRate: stillRate, ...optimizer } },
    start: 'averaging' in optimizer ? averagingStart : start,
  })
  const schedule = (from, to) => ({ from, to, shape: 'cosine', epochs: 10 })
  const narrow = ['encoder.1', 'encoder.2', 'latent', 'decoder.0', 'decoder.1']
  return [
    job('none', null),
    ...Object.keys(eigenLossKinds).map((kind) => job(kind, { kind })),
    job('kl-diagonal on hidden layers', { kind: 'kl-diagonal', layers: 'hidden' }),
    job('kl-normal on layers of at most 64', { kind: 'kl-normal', layers: narrow }),
    job('top-k and averaging', { kind: 'top-k' }, { averaging }),
    job(
      'top-k and schedules',
      { kind: 'top-k', weight: schedule(1, 0.5) },
      { learningRate: schedule(stillRate, stillRate / 2) },
    ),
  ]
}

function growth(two, { quick, images }) {
  // Different numbers of images are measured for the same time.
  const start = once(() => stateAfterEpoch(configOf(topK, 64), two, images))
  const still = { ...topK, optimizer: { learningRate: stillRate } }
  const batchSizes = quick ? [64, 1024] : [16, 32, 64, 128, 256, 512, 1024]
  const job = (fields) => ({ fields: topK, batchSize: 64, threads: two, ...fields })
  const stillJob = (fields) => job({ fields: still, start, ...fields })
  return [
    ...batchSizes.flatMap((batchSize) =>
      [1, 2, 4].map((threads) => job({ name: `batch ${batchSize}`, batchSize, threads })),
    ),
    ...[4, 2, 1].map((part) =>
      stillJob({ name: `${images / part} images`, images: images / part, passes: part }),
    ),
    ...[1, 2, 4].map((epochs) =>
      stillJob({ name: `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`, epochs }),
    ),
  ]
}

function contender({ name, fields, batchSize, threads, images: limit, ...rest }, options) {
  const { epochs = 1, passes = 1, start } = rest
  const config = configOf(fields, batchSize)
  const images = limit ?? options.images
  const gigaflop = (flopPerImage(config.model) * images * epochs) / 1e9
  return {
    name,
    batchSize,
    threads,
    epochs,
    images,
    gigaflop,
    gigavalues: (normalisedUnits(config.model) * images * epochs) / 1e9,
    open: () => open(config, threads, images, { epochs, passes, start }),
  }
}

function configOf(fields, batchSize) {
  return configSchema.parse({ name: 'bench', ...fields, train: { batchSize } })
}

/** Trains from the state that `start` returns, if any. A measurement is the mean of several repetitions of some epochs. */
async function open(config, threads, images, { epochs, passes, start }) {
  const trainer = await createTrainer(config, threads, images)
  if (start !== undefined) await trainer.importState(await start())
  let epoch = 0
  let losses
  const trainEpoch = async () => {
    losses = await trainer.trainEpoch(++epoch, () => {}, never)
  }
  await trainEpoch()
  return {
    measure: async () => {
      const started = performance.now()
      for (let i = 0; i < passes * epochs; i++) await trainEpoch()
      return (performance.now() - started) / 1000 / passes
    },
    facts: async () => {
      const version = `${engine.name} ${engine.variant}`
      const test_mse = await trainer.meanSquaredError(test.images.pixels, null)
      return { version, epochs: epoch, loss: losses.loss, test_mse }
    },
    close: () => trainer.dispose(),
  }
}

const never = new AbortController().signal

function createTrainer(config, threads, images) {
  const pixels = train.images.pixels.subarray(0, images * train.images.pixelsPerImage)
  return engine.createTrainer(trainerSpec(config, images, threads), pixels)
}

function once(make) {
  let made
  return () => (made ??= make())
}

async function stateAfterEpoch(config, threads, images) {
  const trainer = await createTrainer(config, threads, images)
  try {
    await trainer.trainEpoch(1, () => {}, never)
    return await trainer.exportState()
  } finally {
    await trainer.dispose()
  }
}
