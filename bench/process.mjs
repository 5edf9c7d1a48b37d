// Measures `eigenae train` from the start of the process to its end.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './turns.mjs'

const here = fileURLToPath(new URL('..', import.meta.url))
const pollMilliseconds = 25

export async function measureWholeProcess({ epochs, rounds, images }) {
  const runs = []
  for (let round = 0; round < Math.min(rounds, 3); round++) runs.push(await trainOnce(epochs, images))
  const middle = (key) => median(runs.map((run) => run[key]))
  return {
    command: `eigenae train --config configs/eigen.json --epochs ${epochs}`,
    runs,
    seconds: middle('seconds'),
    train_seconds: middle('train_seconds'),
    peak_memory_megabytes: Math.max(...runs.map((run) => run.peak_memory_megabytes)) || null,
  }
}

/** Trains the eigen arm with the build in a folder. Returns the seconds of the process, of its epochs, and their sum. */
export async function trainOnce(epochs, images, root = here) {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-bench-'))
  try {
    const out = join(folder, 'run')
    const job = ['--config', join(root, 'configs/eigen.json'), '--epochs', epochs, '--out', out, '--quiet']
    const limit = images < 60_000 ? ['--set', `data.limit=${images}`] : []
    const measured = await timed([join(root, 'bin/eigenae.js'), 'train', ...job, ...limit])
    return { ...measured, ...readTimings(join(out, 'timings.csv')) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Returns the training seconds of each epoch, and the sums of those of training and of evaluation. */
export function readTimings(file) {
  const [header, ...rows] = readFileSync(file, 'utf8').trim().split('\n')
  const column = (name) => {
    const index = header.split(',').indexOf(name)
    return rows.map((row) => Number(row.split(',')[index]))
  }
  const sum = (values) => values.reduce((total, each) => total + each, 0)
  const epochs = column('train_seconds')
  return { train_seconds: sum(epochs), eval_seconds: sum(column('eval_seconds')), epochs }
}

async function timed(args) {
  const started = performance.now()
  const child = spawn(process.execPath, args.map(String), { stdio: ['ignore', 'ignore', 'inherit'] })
  let peak = null
  const timer = setInterval(() => {
    peak = peakMegabytes(child.pid) ?? peak
  }, pollMilliseconds)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(timer)
  if (code !== 0) throw new Error(`eigenae train ended with ${code}`)
  return { seconds: (performance.now() - started) / 1000, peak_memory_megabytes: peak }
}

/** Returns the peak resident memory of the process so far, or null without /proc. */
function peakMegabytes(pid) {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? null : Number(kilobytes) / 1024
  } catch {
    return null
  }
}
