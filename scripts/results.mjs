/**
 * Makes what docs/results.md shows: trains the arms, each over the seeds, compares them and puts the pictures into
 * docs/results/. What is complete already is not trained again, so it can be stopped and started at will.
 *
 *   node scripts/results.mjs [--runs runs/results] [--docs docs/results] [--seeds 10] [--epochs 10] [--jobs 2]
 */
import { spawn } from 'node:child_process'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')

/** A comparison each: the first arm is its baseline. Arms by the folder of their runs, with their configs. */
const comparisons = {
  'latent-10': {
    none: 'baseline.json',
    'top-k': 'eigen.json',
    'log-max': 'log-max.json',
    'batch-norm': 'batch-norm.json',
  },
  'latent-4': { none: 'baseline-latent-4.json', 'top-k': 'eigen-latent-4.json' },
  'latent-2': { none: 'baseline-latent-2.json', 'top-k': 'eigen-latent-2.json' },
}
const pictures = ['final', 'loss', 'spectrum', 'evolution', 'effective-rank']

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: 'runs/results' },
    docs: { type: 'string', default: 'docs/results' },
    seeds: { type: 'string', default: '10' },
    epochs: { type: 'string', default: '10' },
    jobs: { type: 'string', default: '2' },
  },
})

/** Runs the command line of this checkout; gives its standard output. */
function eigenae(args) {
  const child = spawn(process.execPath, [join(root, 'bin/eigenae.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`eigenae ${args.join(' ')} ended with ${code}`))
    })
  })
}

/** One thread a run: many runs side by side use the cores better than one run on all of them. */
async function train({ config, seed, out }) {
  const fixed = ['--seed', seed, '--epochs', options.epochs, '--device', 'cpu', '--threads', '1']
  await eigenae([
    'train',
    '--config',
    join(root, 'configs', config),
    ...fixed,
    '--out',
    out,
    '--resume',
    '--quiet',
  ])
  process.stderr.write(`${out}\n`)
}

/** Seed by seed, so that an early look compares all arms. */
function planned() {
  const seeds = Array.from({ length: Number(options.seeds) }, (_, seed) => String(seed))
  return seeds.flatMap((seed) =>
    Object.entries(comparisons).flatMap(([comparison, arms]) =>
      Object.entries(arms).map(([arm, config]) => ({
        config,
        seed,
        out: join(options.runs, comparison, arm, `seed-${seed}`),
      })),
    ),
  )
}

async function trainAll() {
  const runs = planned().values()
  const worker = async () => {
    for (const run of runs) await train(run)
  }
  await Promise.all(Array.from({ length: Number(options.jobs) }, worker))
}

async function compare(comparison, arms) {
  const folder = join(options.runs, comparison)
  const out = join(options.runs, 'reports', comparison)
  const groups = Object.keys(arms).map((arm) => join(folder, arm))
  const table = await eigenae(['compare', ...groups, '--out', out])
  process.stdout.write(`\n## ${comparison}\n\n${table}`)
  const target = join(options.docs, comparison)
  await mkdir(target, { recursive: true })
  for (const name of pictures) await copyFile(join(out, `${name}.svg`), join(target, `${name}.svg`))
  await copyFile(join(out, 'comparison.csv'), join(target, 'comparison.csv'))
  await writeFile(join(target, 'comparison.txt'), table)
  await writeFile(join(target, 'spectrum.csv'), await meanSpectra(folder, Object.keys(arms)))
}

/** The shares of the last epoch by rank, mean over the seeds: what the original experiment printed. */
async function meanSpectra(folder, arms) {
  const lines = ['arm,rank,singular_share,eigen_share']
  for (const arm of arms) {
    const sums = []
    for (const seed of Array(Number(options.seeds)).keys()) {
      const text = await readFile(join(folder, arm, `seed-${seed}`, 'spectrum.csv'), 'utf8')
      const rows = text.trimEnd().split('\n').slice(1)
      for (const row of rows) {
        const [epoch, rank, , singularShare, , eigenShare] = row.split(',').map(Number)
        if (epoch !== Number(options.epochs)) continue
        const sum = sums[rank - 1] ?? { singular: 0, eigen: 0 }
        sums[rank - 1] = { singular: sum.singular + singularShare, eigen: sum.eigen + eigenShare }
      }
    }
    const mean = (sum) => (sum / Number(options.seeds)).toFixed(4)
    sums.forEach(({ singular, eigen }, index) => {
      lines.push(`${arm},${index + 1},${mean(singular)},${mean(eigen)}`)
    })
  }
  return `${lines.join('\n')}\n`
}

await trainAll()
for (const [comparison, arms] of Object.entries(comparisons)) await compare(comparison, arms)
