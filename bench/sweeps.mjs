// Measures a sweep of many short runs, from the start of the process to its end, and the same networks in JAX.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configSchema } from '../dist/config/schema.js'
import { flopPerImage } from '../dist/model/architecture.js'
import { peerContender } from './peers.mjs'
import { readTimings } from './process.mjs'
import { median } from './turns.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const cores = 2
const images = 2000

/** The runs differ in their seeds: one epoch on 2,000 images each, two at once with one thread each. */
export function sweepSection({ quick, peers }) {
  const runs = quick ? 4 : 200
  const { model } = configSchema.parse({ name: 'bench' })
  const gigaflop = (flopPerImage(model) * images * runs) / 1e9
  const job = { batchSize: 64, threads: cores, images, epochs: runs, gigaflop }
  const args = ['--images', images, '--seeds', runs, '--cores', cores, '--batch-size', job.batchSize]
  return {
    name: 'sweeps',
    title: `A sweep of ${runs} runs: one epoch on ${images.toLocaleString('en-US')} images, top-k`,
    contenders: [
      { ...job, name: 'eigenae', open: () => open(runs) },
      ...(peers ? [peerContender({ ...job, name: 'JAX, vmap' }, 'jax_sweep.py', args)] : []),
    ],
  }
}

function open(runs) {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-bench-'))
  const file = join(folder, 'sweep.json')
  const out = join(folder, 'sweep')
  const variants = { eigen: join(root, 'configs/eigen.json') }
  writeFileSync(
    file,
    JSON.stringify({ name: 'sweep', variants, seeds: Array.from({ length: runs }, (_, i) => i) }),
  )
  const command = [join(root, 'bin/eigenae.js'), 'sweep', '--config', file, '--out', out, '--device', 'cpu']
  const settings = ['--set', 'train.epochs=1', '--set', `data.limit=${images}`]
  const slots = ['--jobs', String(cores), '--threads', '1']
  const measured = { shares: [], overheads: [] }
  return {
    measure: () => {
      rmSync(out, { recursive: true, force: true })
      const started = performance.now()
      execFileSync(process.execPath, [...command, ...settings, ...slots], { stdio: 'ignore' })
      const seconds = (performance.now() - started) / 1000
      const inEpochs = secondsInEpochs(join(out, 'eigen'))
      measured.shares.push(inEpochs / (cores * seconds))
      measured.overheads.push((1000 * (cores * seconds - inEpochs)) / runs)
      return seconds
    },
    facts: () => ({
      share_in_epochs: median(measured.shares),
      milliseconds_beside_epochs: median(measured.overheads),
    }),
    close: () => rmSync(folder, { recursive: true }),
  }
}

/** Returns the seconds in which the runs of an arm trained an epoch and evaluated it, added up. */
function secondsInEpochs(arm) {
  const runs = readdirSync(arm).map((run) => readTimings(join(arm, run, 'timings.csv')))
  return runs.reduce((sum, { train_seconds, eval_seconds }) => sum + train_seconds + eval_seconds, 0)
}
