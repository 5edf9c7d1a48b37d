// Shows that every barrier of the kernels is needed, and that the emulation notices if one is missing: leaves out one at a
// time and runs the changed kernels with ThreadSanitizer. Exits with 1 if that is not noticed, or if the kernels as they are
// have a race.
//
//   node native/cuda/tests/leave-out-barriers.mjs [--sample N] [--seed S]
//
// The programs are compiled once, and each run leaves out the barrier whose number it is given. --sample takes N at random.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { eigenLossKinds } from '../../../dist/config/eigen-loss-kinds.js'
import { compileFormula } from '../../../dist/formulas/program.js'
import { tapeOf } from '../../../dist/formulas/tape.js'
import { nativeFolder } from '../../../scripts/building/sources.mjs'
import { buildEmulation } from './build.mjs'
import { addModel, Message, trainRequest } from './requests.mjs'

const executor = 'formulas/execute.h'
const layers = 8

// Together these reach every barrier: hidden units in parts, batch norm, every form of eigen loss, more than four slices.
const shapes = [
  {
    widths: [20, 16, 8, 5, 4],
    batch: 32,
    blocks: 4,
    tiles: 2,
    batchNorm: 2 ** (layers - 1) - 1,
    activation: 2,
  },
  { widths: [72, 16, 8, 5, 4], batch: 32, blocks: 4, tiles: 1, batchNorm: 0, activation: 0 },
]

const { values: options } = parseArgs({ options: { sample: { type: 'string' }, seed: { type: 'string' } } })
const folder = mkdtempSync(join(tmpdir(), 'eigenae-barriers-'))
try {
  const barriers = findBarriers()
  const programs = await buildPrograms(barriers)
  const unchanged = firstFinding(programs, null)
  if (unchanged !== null) fail(`the kernels as they are: ${unchanged}`)
  const counts = new Map()
  const chosen = sample(barriers)
  for (const { file, line, name, number } of chosen) {
    const finding = firstFinding(programs, number)
    console.log(`${file}:${line} ${name}: ${finding ?? 'NOT NOTICED'}`)
    if (finding === null) process.exitCode = 1
    counts.set(finding, (counts.get(finding) ?? 0) + 1)
  }
  const parts = [...counts].map(([finding, count]) => `${count} ${finding ?? 'not noticed'}`)
  console.log(`${chosen.length} of ${barriers.length} barriers left out: ${parts.join(', ')}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function fail(message) {
  console.error(`leave-out-barriers: ${message}`)
  process.exitCode = 1
}

/** Returns all barriers: { file, line, name, number, places }, with the positions of its calls in the file. */
function findBarriers() {
  const kernels = readdirSync(join(nativeFolder, 'cuda/kernel')).filter((file) => /\.(h|cu)$/.test(file))
  const files = [...kernels.filter((file) => file !== 'gpu.h').map((file) => `cuda/kernel/${file}`), executor]
  const barriers = files.sort().flatMap((file) => {
    const text = readFileSync(join(nativeFolder, file), 'utf8')
    const find = (pattern) => [...text.matchAll(pattern)].map((match) => match.index + match[1].length)
    const single =
      /^( +(?:if \(row > 0\) )?)(?:syncFirst<workers>|syncWarp|machine\.sync|embeddingIsThere|directionIsThere)\(/gm
    // The two halves of a barrier of the model's blocks.
    const waits = find(/^( +)wait\(b\)/gm)
    const pairs = find(/^( +)arrive\(b\)/gm).map((arrive) => [arrive, waits.find((wait) => wait > arrive)])
    return [...find(single).map((place) => [place]), ...pairs].map((places) => ({
      file,
      line: text.slice(0, places[0]).split('\n').length,
      name: /^[\w.]+/.exec(text.slice(places[0]))[0],
      places,
    }))
  })
  return barriers.map((barrier, number) => ({ ...barrier, number }))
}

/** Compiles the kernels for each shape, with every barrier behind a condition. */
async function buildPrograms(barriers) {
  const changed = join(folder, 'native')
  for (const part of ['core', 'cuda', 'formulas', 'kernels'])
    cpSync(join(nativeFolder, part), join(changed, part), { recursive: true })
  for (const file of new Set(barriers.map((barrier) => barrier.file))) {
    const own = barriers.filter((barrier) => barrier.file === file)
    const places = own.flatMap(({ number, places }) => places.map((place) => ({ number, place })))
    let text = readFileSync(join(nativeFolder, file), 'utf8')
    for (const { number, place } of places.sort((a, b) => b.place - a.place))
      text = `${text.slice(0, place)}if (leftOut != ${number}) ${text.slice(place)}`
    writeFileSync(join(changed, file), text)
  }
  const variable = `static const int leftOut = std::getenv("LEFT_OUT") ? std::atoi(std::getenv("LEFT_OUT")) : -1;\n`
  const program = join(changed, 'cuda/tests/emulate.cc')
  writeFileSync(program, `#include <cstdlib>\n${variable}${readFileSync(program, 'utf8')}`)
  const programs = []
  for (const shape of shapes)
    programs.push(
      await buildEmulation(shape, { sanitizer: true, native: changed, out: join(folder, 'programs') }),
    )
  return programs
}

/** Returns how the emulation fails without a barrier: "race", "deadlock" …; null if it does not. */
function firstFinding(programs, leftOut) {
  for (const [i, shape] of shapes.entries()) {
    for (const request of [trainingRequest(shape), inferenceRequest(shape)]) {
      const finding = runSanitized(programs[i], request, leftOut)
      if (finding !== null) return finding
    }
  }
  return null
}

function runSanitized(program, request, leftOut) {
  const input = join(folder, 'request')
  writeFileSync(input, request.bytes())
  // Without a fixed layout of addresses ThreadSanitizer refuses some kernels of Linux.
  const args = ['-R', program, input, join(folder, 'response')]
  const env = {
    ...process.env,
    TSAN_OPTIONS: 'halt_on_error=1',
    ...(leftOut === null ? {} : { LEFT_OUT: leftOut }),
  }
  const { status, stderr } = spawnSync('setarch', args, { encoding: 'utf8', env, timeout: 120_000 })
  if (status === 0) return null
  if (stderr.includes('data race')) return 'race'
  if (stderr.includes('deadlock')) return 'deadlock'
  if (status === null) return 'hang'
  return `failure: ${stderr.trim().split('\n')[0]}`
}

function trainingRequest({ widths, batchNorm, activation }) {
  const state = stateOf(widths, batchNorm)
  const latent = widths.at(-1)
  const eigenLoss = (kind, parameters, center) => {
    const formula = { text: eigenLossKinds[kind].formula, parameters, center }
    return { center, minimumImages: 6, tapes: [tapeOf(compileFormula(formula, latent))] }
  }
  const spec = {
    slope: 0.01,
    noise: 0.2,
    seed: 5,
    averaging: 0.9,
    optimizer: [0, 0.9, 0.999, 1e-8, 0.01],
    eigenLosses: [
      eigenLoss('top-k', { k: 2 }, true),
      eigenLoss('kl-diagonal', { epsilon: 0.01 }, false),
      eigenLoss('log-det', { epsilon: 0.01 }, activation === 0),
      eigenLoss('decorrelation', {}, false),
      eigenLoss('log-max', {}, false),
    ],
  }
  const [steps, count] = [3, 80]
  const values = new Float64Array(steps * (1 + spec.eigenLosses.length)).fill(0.1).fill(0.005, 0, steps)
  const order = Uint32Array.from({ length: count }, (_, i) => (i * 37) % 100)
  return addModel(trainRequest(1), spec, state, { order, epoch: 1, count, values }, images(widths))
}

function inferenceRequest({ widths, batchNorm }) {
  const { parameters, runningStatistics } = stateOf(widths, batchNorm)
  const [squaredErrors, blocks] = [3, 2]
  return new Message()
    .integers(1, squaredErrors, 100, blocks, 0)
    .reals(0.01, 0.2)
    .integers(1, 4, 0)
    .array(parameters)
    .array(runningStatistics)
    .array(images(widths))
    .array(new Float32Array(0))
}

function images(widths) {
  return Uint8Array.from({ length: 100 * widths[0] }, (_, i) => (i * 7919) % 256)
}

function stateOf(widths, batchNorm) {
  const sizes = [...widths, ...widths.toReversed().slice(1)]
  let [parameterCount, statisticCount] = [0, 0]
  for (let layer = 0; layer < layers; layer++) {
    const hasNorm = (batchNorm >> layer) & 1
    parameterCount += sizes[layer + 1] * (sizes[layer] + (hasNorm ? 3 : 1))
    statisticCount += hasNorm ? 2 * sizes[layer + 1] : 0
  }
  const zeros = () => new Float32Array(parameterCount)
  return {
    step: 0,
    parameters: Float32Array.from({ length: parameterCount }, (_, i) => Math.sin(i * i) / 2),
    firstMoments: zeros(),
    secondMoments: zeros(),
    runningStatistics: new Float32Array(statisticCount).fill(1),
    averagedParameters: zeros(),
    averagedStatistics: new Float32Array(statisticCount),
  }
}

/** Returns --sample of the barriers, by --seed. */
function sample(barriers) {
  if (options.sample === undefined) return barriers
  let state = Number(options.seed ?? Date.now()) % 2147483647
  const random = () => {
    state = (state * 48271 + 11) % 2147483647
    return state
  }
  const keyed = barriers.map((barrier) => ({ barrier, key: random() }))
  return keyed
    .sort((a, b) => a.key - b.key)
    .slice(0, Number(options.sample))
    .map(({ barrier }) => barrier)
}
