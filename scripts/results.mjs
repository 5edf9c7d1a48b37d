/**
 * Makes the tables and pictures of docs/results.md: runs the sweeps, compares their arms with the first one, and writes
 * docs/results/. Completed runs are not trained again, so the script can be stopped and restarted.
 *
 *   node scripts/results.mjs [--runs runs/results] [--docs docs/results] [--epochs 10]
 */
import { spawn } from 'node:child_process'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')

/** The folders of docs/results/ and the sweeps of configs/sweeps/ that fill them. */
const sweeps = { 'latent-10': 'arms', 'latent-4': 'latent-4', 'latent-2': 'latent-2' }
const pictures = ['final', 'spectrum']
const morePictures = { 'latent-10': ['pareto', 'loss', 'evolution', 'effective-rank', 'reconstructions'] }
/** Those that README.md and docs/study.md show on dark pages, too. */
const darkPictures = { 'latent-10': ['spectrum', 'pareto'] }

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: 'runs/results' },
    docs: { type: 'string', default: 'docs/results' },
    epochs: { type: 'string', default: '10' },
  },
})

/** Runs the command line of this checkout and returns its standard output. */
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
      else reject(new Error(`eigenae ${args.join(' ')} exited with ${code}`))
    })
  })
}

async function writeResults(name, sweep) {
  const file = join(root, 'configs/sweeps', `${sweep}.json`)
  const { variants, seeds } = JSON.parse(await readFile(file, 'utf8'))
  const folder = join(options.runs, name)
  const settings = ['--device', 'cpu', '--set', `train.epochs=${options.epochs}`]
  await eigenae(['sweep', '--config', file, '--out', folder, '--resume', ...settings])
  const report = join(options.runs, 'reports', name)
  const table = await eigenae(['compare', folder, '--out', report])
  const details = await eigenae(['compare', folder, '--details'])
  process.stdout.write(`\n## ${name}\n\n${table}`)
  const target = join(options.docs, name)
  await mkdir(target, { recursive: true })
  const copy = (from, to) => copyFile(join(report, from), join(target, to))
  for (const picture of [...pictures, ...(morePictures[name] ?? [])])
    await copy(`${picture}.svg`, `${picture}.svg`)
  await copy('comparison.csv', 'comparison.csv')
  await writeFile(join(target, 'comparison.txt'), `${table}\n${details}`)
  await writeFile(join(target, 'spectrum.csv'), await meanSpectra(folder, Object.keys(variants), seeds))
  if (!(name in darkPictures)) return
  await eigenae(['compare', folder, '--scheme', 'dark', '--out', join(report, 'dark')])
  for (const picture of darkPictures[name]) await copy(`dark/${picture}.svg`, `${picture}-dark.svg`)
}

/** Returns the shares by rank after the last epoch, averaged over the seeds, which the original experiment reported. */
async function meanSpectra(folder, arms, seeds) {
  const lines = ['arm,rank,singular_share,eigen_share']
  for (const arm of arms) {
    const runs = await Promise.all(seeds.map((seed) => lastSpectrum(join(folder, arm, `seed-${seed}`))))
    for (const [index, { rank }] of runs[0].entries()) {
      const mean = (column) => runs.reduce((sum, rows) => sum + rows[index][column], 0) / runs.length
      const shares = ['singular_share', 'eigen_share'].map((column) => mean(column).toFixed(4))
      lines.push([arm, rank, ...shares].join(','))
    }
  }
  return `${lines.join('\n')}\n`
}

/** Returns the rows of a run's last epoch as objects by column. */
async function lastSpectrum(run) {
  const [header, ...rows] = (await readFile(join(run, 'spectrum.csv'), 'utf8')).trimEnd().split('\n')
  const columns = header.split(',')
  const named = rows.map((row) =>
    Object.fromEntries(row.split(',').map((value, place) => [columns[place], Number(value)])),
  )
  return named.filter(({ epoch }) => epoch === named.at(-1).epoch)
}

for (const [name, sweep] of Object.entries(sweeps)) await writeResults(name, sweep)
