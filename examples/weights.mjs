// Trains one config with several weights of its eigen loss, and prints the error and the effective rank of each.
//
// usage: node examples/weights.mjs [FOLDER] [EPOCHS]
//
// Repeat the command after an interruption or with more epochs: nothing is trained twice.
import { join } from 'node:path'
import { compareRuns, readRun, train } from 'eigenae'

const [folder = 'runs/weights-by-script', epochs = '2'] = process.argv.slice(2)
const config = join(import.meta.dirname, '../configs/eigen.json')
const weights = [0.1, 1, 10]
const seeds = [0, 1]

for (const weight of weights) {
  for (const seed of seeds) {
    const run = await train({
      config,
      set: { 'loss.eigen.weight': weight, 'train.epochs': Number(epochs), seed },
      out: join(folder, `weight-${weight}`, `seed-${seed}`),
      resume: true,
      onEpoch: ({ epoch, evaluation }) =>
        console.error(
          `weight ${weight}, seed ${seed}, epoch ${epoch}: test MSE ${evaluation.mse.toFixed(4)}`,
        ),
    })
    console.error(`${run.folder}: ${run.metrics.length} epochs`)
  }
}

const arms = weights.map((weight) => join(folder, `weight-${weight}`))
const { results } = await compareRuns(arms, { baseline: arms[1] })
for (const { arm, metric, summary } of results) {
  if (metric !== 'test_denoise_mse' && metric !== 'effective_rank') continue
  console.log([arm.name, metric, summary.n, summary.mean.toPrecision(4)].join('\t'))
}

// Every run has its whole course in memory: rows of metrics.csv and spectrum.csv as objects.
const { spectrum, config: trained } = await readRun(join(arms[0], 'seed-0'))
const last = spectrum.filter(({ epoch }) => epoch === trained.train.epochs)
console.log(`shares of ${arms[0]}:`, last.map(({ singular_share }) => singular_share.toFixed(3)).join(' '))
