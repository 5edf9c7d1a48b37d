/**
 * Measures `eigenae watch` with thousands of runs in Chromium: the time until the page shows them, the delay of an update, the
 * longest time that the page does not answer, and memory. docs/watching.md shows the results.
 *
 * usage: bench/watch.mjs [--runs 5000] [--arms 50] [--keep FOLDER]
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'

const root = join(import.meta.dirname, '..')
const cli = join(root, 'bin/eigenae.js')
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5000' },
    arms: { type: 'string', default: '50' },
    keep: { type: 'string' },
  },
})
const [count, arms] = [Number(values.runs), Number(values.arms)]
const scratch = values.keep ?? mkdtempSync(join(tmpdir(), 'eigenae-watch-'))
const folder = join(scratch, 'runs')

try {
  if (!existsSync(folder)) makeRuns()
  await measure()
} finally {
  if (values.keep === undefined) rmSync(scratch, { recursive: true, force: true })
}

/** Trains one run and copies it: every copy has its own seed and errors, every arm its own learning rate. */
function makeRuns() {
  const model = join(scratch, 'model')
  const settings = ['data.limit=1000', 'train.epochs=10'].flatMap((each) => ['--set', each])
  const config = join(root, 'configs/eigen.json')
  spawnSync(process.execPath, [cli, 'train', '--config', config, '--out', model, ...settings, '--quiet'], {
    stdio: 'inherit',
  })
  const files = Object.fromEntries(
    ['config.json', 'run.json', 'metrics.csv'].map((name) => [name, readFileSync(join(model, name), 'utf8')]),
  )
  for (let index = 0; index < count; index++) {
    const [arm, seed] = [index % arms, Math.floor(index / arms)]
    const run = join(folder, `arm-${arm}`, `seed-${seed}`)
    mkdirSync(run, { recursive: true })
    const fields = JSON.parse(files['config.json'])
    const learningRate = Number((0.001 * 1.1 ** arm).toPrecision(4))
    const own = { ...fields, seed, optimizer: { ...fields.optimizer, learningRate } }
    // Without checksums, as in version 0.1.0, because the copies differ from the files that were summed.
    const { files: sums, configSha256, sha256, ...record } = JSON.parse(files['run.json'])
    writeFileSync(join(run, 'config.json'), JSON.stringify(own))
    writeFileSync(join(run, 'run.json'), JSON.stringify({ ...record, seed }))
    writeFileSync(join(run, 'metrics.csv'), varied(files['metrics.csv'], 1 + 0.1 * Math.sin(index)))
    for (const name of ['spectrum.csv', 'timings.csv', 'evaluation.json'])
      cpSync(join(model, name), join(run, name))
  }
}

/** Multiplies the errors, which are all columns but the epoch and those of the spectrum. */
function varied(text, factor) {
  const [header, ...rows] = text.trimEnd().split('\n')
  const names = header.split(',')
  const lines = rows.map((row) =>
    row
      .split(',')
      .map((cell, i) => (names[i].endsWith('mse') && cell !== '' ? Number(cell) * factor : cell))
      .join(','),
  )
  return `${[header, ...lines].join('\n')}\n`
}

async function measure() {
  row('load of the machine before, in processes per core', (loadavg()[0] / availableParallelism()).toFixed(1))
  const started = performance.now()
  const watch = spawn(process.execPath, [cli, 'watch', folder], { stdio: ['ignore', 'pipe', 'ignore'] })
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--enable-precise-memory-info'],
  })
  try {
    const address = await new Promise((resolve) =>
      watch.stdout.once('data', (data) => resolve(String(data).trim())),
    )
    row('until the address is printed', seconds(started))
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
    page.setDefaultTimeout(120_000)
    await page.addInitScript(`
      window.tasks = []
      new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((each) => each.duration))).observe({ entryTypes: ['longtask'] })`)
    const opened = performance.now()
    await page.goto(address)
    await page.waitForSelector('body[data-ready]')
    row('from there until the page shows runs', seconds(opened))
    await page.waitForFunction(
      (text) => document.getElementById('shown').textContent === text,
      `${count} runs`,
    )
    row('until it shows all', seconds(opened))
    row('processor time of the watch until then', `${processorSeconds(watch.pid).toFixed(1)} s`)
    await page.waitForSelector('body[data-reports]')
    row('until it shows the report', seconds(opened))
    await idle(page)
    row('longest task of the page until then', await longestTask(page))
    await page.evaluate('window.tasks.length = 0')
    const { delays, longest } = await whileTraining(page)
    row('from a new epoch until the page shows it, median of 10', `${median(delays).toFixed(2)} s`)
    row('longest of 10', `${Math.max(...delays).toFixed(2)} s`)
    row('longest task of the page in that time', longest.before)
    row('longest task when charts come into view', longest.first)
    row('longest task while they are redrawn 5 times', longest.redrawing)
    row('frames per second of the page at rest', await frameRate(page, 0))
    row('frames per second while the list scrolls', await frameRate(page, 400))
    row('memory of the watch', `${peakMegabytes(watch.pid)} MB`)
    const heap = await page.evaluate('performance.memory.usedJSHeapSize')
    row("memory of the page's script", `${(heap / 2 ** 20).toFixed(0)} MB`)
  } finally {
    await browser.close()
    watch.kill('SIGINT')
  }
}

/**
 * Trains a run in the folder. Returns the times from each of ten epochs' checkpoint until the page shows the epoch, in seconds,
 * and the page's longest tasks in that time and while the charts are in view.
 */
async function whileTraining(page) {
  const run = join(folder, 'arm-0', 'seed-live')
  const config = join(root, 'configs/eigen.json')
  const settings = ['data.limit=20000', 'train.epochs=1000', 'seed=99999'].flatMap((each) => ['--set', each])
  const training = spawn(
    process.execPath,
    [cli, 'train', '--config', config, '--out', run, ...settings, '--quiet'],
    { stdio: 'ignore' },
  )
  try {
    const delays = await updateDelays(page, run, 10)
    const before = await longestTask(page)
    await page.evaluate('window.tasks.length = 0')
    await page.evaluate("document.querySelector('#pictures figure').scrollIntoView()")
    await reports(page, 2)
    const first = await longestTask(page)
    await page.evaluate('window.tasks.length = 0')
    await reports(page, 5)
    return { delays, longest: { before, first, redrawing: await longestTask(page) } }
  } finally {
    training.kill('SIGKILL')
    rmSync(run, { recursive: true, force: true })
  }
}

async function updateDelays(page, run, epochs) {
  await page.fill('#search', 'seed-live')
  const epochCell = '#table-watched tr[data-id="arm-0/seed-live"] td:nth-child(3)'
  const delays = []
  await page.waitForSelector(epochCell)
  while (delays.length < epochs) {
    const shown = await page.locator(epochCell).textContent()
    await page.waitForFunction(
      ([cell, old]) => document.querySelector(cell).textContent !== old,
      [epochCell, shown],
    )
    delays.push((Date.now() - statSync(join(run, 'checkpoint/state.safetensors')).mtimeMs) / 1000)
  }
  return delays
}

/** Waits until the page has shown more reports. */
async function reports(page, count) {
  await page.evaluate(`new Promise((resolve) => {
    const shown = () => Number(document.body.dataset.reports)
    const enough = shown() + ${count}
    const look = () => (shown() >= enough ? resolve() : setTimeout(look, 100))
    look()
  })`)
}

/** Scrolls the list of runs by `step` pixels in every frame for two seconds. */
async function frameRate(page, step) {
  await page.locator('#runs').scrollIntoViewIfNeeded()
  await page.fill('#search', '')
  const frames = await page.evaluate(`new Promise((resolve) => {
    const box = document.getElementById('table-watched')
    const began = performance.now()
    let frames = 0
    const frame = (now) => {
      box.scrollTop += ${step}
      frames++
      if (now - began < 2000) requestAnimationFrame(frame)
      else resolve(frames / 2)
    }
    requestAnimationFrame(frame)
  })`)
  return String(Math.round(frames))
}

async function longestTask(page) {
  const tasks = await page.evaluate('window.tasks')
  return `${Math.round(Math.max(0, ...tasks))} ms`
}

function idle(page) {
  return page.evaluate('new Promise((resolve) => requestIdleCallback(resolve))')
}

function peakMegabytes(pid) {
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024)
}

/** Returns the user and system time of a process (proc(5), fields 14 and 15 of its stat, in hundredths of a second). */
function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(2)} s`
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]
}

function row(name, value) {
  console.log(`${name.padEnd(62)} ${value}`)
}
