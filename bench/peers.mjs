// JAX and PyTorch, each in a process of its own that trains one epoch for each request: see bench/peers/job.py.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { configSchema } from '../dist/config/schema.js'
import { sourceFolder } from '../dist/data/load.js'
import { flopPerImage, layersOf } from '../dist/model/architecture.js'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
const scripts = { JAX: 'jax_peer.py', PyTorch: 'torch_peer.py' }

export function peerContenders({ images }) {
  const jobs = [
    { kind: '', batchSize: 64, batchNorm: 'none', args: [] },
    { kind: '', batchSize: 256, batchNorm: 'none', args: [] },
    { kind: ', batch norm', batchSize: 64, batchNorm: 'all', args: ['--batch-norm'] },
  ]
  return jobs.flatMap(({ kind, batchSize, batchNorm, args }) => {
    const { model } = configSchema.parse({ name: 'bench', model: { batchNorm } })
    const gigaflop = (flopPerImage(model) * images) / 1e9
    const gigavalues = (normalisedUnits(model) * images) / 1e9
    const job = { batchSize, images, gigaflop, gigavalues, threads: availableParallelism() }
    const sizes = ['--batch-size', batchSize, '--images', images]
    return Object.entries(scripts).map(([name, script]) =>
      peerContender({ ...job, name: name + kind }, script, [...sizes, ...args]),
    )
  })
}

/** Returns the units of a network that batch norm normalises. */
export function normalisedUnits(model) {
  return layersOf(model).reduce((sum, { batchNorm, outputs }) => sum + (batchNorm ? outputs : 0), 0)
}

/** Returns the peers' measurements of the same job: as large batches, as many products and as many normalised values. */
export function peersOf(ours, measurements) {
  const isSame = (each) =>
    ['batch_size', 'gigaflop', 'gigavalues'].every((field) => each[field] === ours[field])
  return measurements.filter((each) => !each.name.startsWith('eigenae') && isSame(each))
}

/** Returns a job of turns.mjs that a script of bench/peers does. */
export function peerContender(job, script, args) {
  return { ...job, open: () => open(job.name, findPython(), [path(`peers/${script}`), ...args]) }
}

/** Returns EIGENAE_BENCH_PYTHON, or the Python of bench/.venv, which is created again if requirements.txt has changed. */
function findPython() {
  if (process.env.EIGENAE_BENCH_PYTHON) return process.env.EIGENAE_BENCH_PYTHON
  const requirements = path('peers/requirements.txt')
  const python = path('.venv/bin/python')
  const stamp = path('.venv/requirements.txt')
  const wanted = readFileSync(requirements, 'utf8')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python
  const toStderr = { stdio: ['ignore', 2, 2] }
  execFileSync('python3', ['-m', 'venv', path('.venv')], toStderr)
  // Python compiles the modules that are imported; compiling all of PyTorch takes longer than installing it.
  const install = ['-m', 'pip', 'install', '--quiet', '--no-compile', '--no-deps', '-r', requirements]
  execFileSync(python, install, toStderr)
  if (process.platform === 'linux') execFileSync(python, [path('peers/cuda_stubs.py')], toStderr)
  writeFileSync(stamp, wanted)
  return python
}

async function open(name, python, args) {
  const data = sourceFolder('mnist')
  const child = spawn(python, [...args.map(String), '--data', data, '--on-demand'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${name} has ended without an answer`)
    return JSON.parse(value)
  }
  await answer()
  return {
    measure: async () => {
      child.stdin.write('epoch\n')
      return (await answer()).seconds
    },
    facts: async () => {
      child.stdin.end()
      const { version, epochs, loss, test_mse } = await answer()
      return { version, epochs, loss, test_mse }
    },
    close: () => child.kill(),
  }
}
