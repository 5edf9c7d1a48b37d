// Shows that every barrier of the kernels is needed, and that the emulation notices if one is missing: leaves out one at a
// time and runs the changed kernel with ThreadSanitizer. Exits with 1 if that is not noticed, or if the kernel as it is has
// a race.
//
//   node native/cuda/tests/leave-out-barriers.mjs [--sample N] [--seed S]
//
// All of them take a quarter of an hour; --sample takes N at random.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nativeFolder } from '../../../scripts/building/sources.mjs'
import { buildEmulation } from './build.mjs'
import { addModel, Message, trainRequest } from './requests.mjs'

const kernel = join(nativeFolder, 'cuda/kernel')
const widths = [20, 16, 8, 5, 4]
const layers = 2 * (widths.length - 1)

// Together these reach every barrier: hidden units in parts, batch norm, every form of eigen loss, three steps.
const shapes = [
  { widths, batch: 32, blocks: 4, tiles: 2, batchNorm: 2 ** (layers - 1) - 1, activation: 2 },
  { widths, batch: 32, blocks: 2, tiles: 1, batchNorm: 0, activation: 0 },
]

const { values: options } = parseArgs({ options: { sample: { type: 'string' }, seed: { type: 'string' } } })
const folder = mkdtempSync(join(tmpdir(), 'eigenae-barriers-'))
try {
  const unchanged = await firstFinding(kernel)
  if (unchanged !== null) fail(`the kernels as they are: ${unchanged}`)
  const barriers = sample(findBarriers())
  const findings = new Map()
  for (const barrier of barriers) {
    const finding = await firstFinding(without(barrier))
    console.log(`${barrier.file}:${barrier.line} ${barrier.name}: ${finding ?? 'NOT NOTICED'}`)
    if (finding === null) process.exitCode = 1
    findings.set(finding, (findings.get(finding) ?? 0) + 1)
  }
  const counts = [...findings].map(([finding, count]) => `${count} ${finding ?? 'not noticed'}`)
  console.log(`${barriers.length} barriers left out: ${counts.join(', ')}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function fail(message) {
  console.error(`leave-out-barriers: ${message}`)
  process.exitCode = 1
}

/** Returns all barriers: { file, line, name, spans }, with the spans of the text to leave out. */
function findBarriers() {
  const files = readdirSync(kernel, { recursive: true }).filter((file) => /\.(h|cu)$/.test(file))
  return files.sort().flatMap((file) => {
    if (file === 'gpu.h') return []
    const text = readFileSync(join(kernel, file), 'utf8')
    const barrier = (match, name, ...spans) => ({ file, line: lineOf(text, match.index), name, spans })
    const single =
      /^ +(?:if \(row > 0\) )?(syncFirst<workers>|syncWarp|embeddingIsThere|directionIsThere)\(\);/gm
    const singles = [...text.matchAll(single)].map((match) =>
      barrier(match, match[1], [match.index, match.index + match[0].length]),
    )
    // The two halves of a barrier of the model's blocks.
    const waits = [...text.matchAll(/^ +wait\(b\);/gm)]
    const pairs = [...text.matchAll(/^ +arrive\(b\);/gm)].map((match) => {
      const wait = waits.find(({ index }) => index > match.index)
      const spanOf = ({ index, 0: found }) => [index, index + found.length]
      return barrier(match, 'arrive and wait', spanOf(match), spanOf(wait))
    })
    return [...singles, ...pairs]
  })
}

function lineOf(text, index) {
  return text.slice(0, index).split('\n').length
}

/** Returns the folder of the kernel without a barrier. */
function without({ file, spans }) {
  const changed = join(folder, 'kernel')
  rmSync(changed, { recursive: true, force: true })
  cpSync(kernel, changed, { recursive: true })
  let text = readFileSync(join(kernel, file), 'utf8')
  for (const [begin, end] of spans.toReversed()) text = text.slice(0, begin) + text.slice(end)
  writeFileSync(join(changed, file), text)
  return changed
}

/** Returns how the emulation fails: "race", "deadlock" …; null if it does not. */
async function firstFinding(kernelFolder) {
  for (const shape of shapes) {
    const out = kernelFolder === kernel ? undefined : join(kernelFolder, 'programs')
    const program = await buildEmulation(shape, { sanitizer: true, kernel: kernelFolder, out })
    for (const request of [trainingRequest(shape), inferenceRequest(shape)]) {
      const finding = runSanitized(program, request)
      if (finding !== null) return finding
    }
  }
  return null
}

function runSanitized(program, request) {
  const input = join(folder, 'request')
  writeFileSync(input, request.bytes())
  // Without a fixed layout of addresses ThreadSanitizer refuses some kernels of Linux.
  const args = ['-R', program, input, join(folder, 'response')]
  const env = { ...process.env, TSAN_OPTIONS: 'halt_on_error=1' }
  const { status, stderr } = spawnSync('setarch', args, { encoding: 'utf8', env, timeout: 120_000 })
  if (status === 0) return null
  if (stderr.includes('data race')) return 'race'
  if (stderr.includes('deadlock')) return 'deadlock'
  if (status === null) return 'hang'
  return `failure: ${stderr.trim().split('\n')[0]}`
}

function trainingRequest({ batchNorm, activation }) {
  const state = stateOf(batchNorm)
  const eigenLoss = (kind, parameters, center) => ({ kind, parameters, center, minimumImages: 6 })
  const spec = {
    slope: 0.01,
    noise: 0.2,
    seed: 5,
    averaging: 0.9,
    optimizer: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
    eigenLosses: [
      eigenLoss('top-k', { k: 2 }, true),
      eigenLoss('kl-diagonal', { epsilon: 0.01 }, false),
      eigenLoss('log-det', { epsilon: 0.01 }, activation === 0),
      eigenLoss('covariance', {}, false),
      eigenLoss('entropy', {}, false),
    ],
  }
  const [steps, count] = [3, 80]
  const values = {
    learningRates: new Float64Array(steps).fill(0.005),
    weights: new Float64Array(steps * spec.eigenLosses.length).fill(0.1),
  }
  const order = Uint32Array.from({ length: count }, (_, i) => (i * 37) % 100)
  return addModel(trainRequest(1), spec, state, { order, epoch: 1, count, values }, images())
}

function inferenceRequest({ batchNorm }) {
  const { parameters, runningStatistics } = stateOf(batchNorm)
  const [squaredErrors, blocks] = [3, 2]
  return new Message()
    .integers(1, squaredErrors, 100, blocks, 0)
    .reals(0.01, 0.2)
    .integers(1, 4, 0)
    .array(parameters)
    .array(runningStatistics)
    .array(images())
    .array(new Float32Array(0))
}

function images() {
  return Uint8Array.from({ length: 100 * widths[0] }, (_, i) => (i * 7919) % 256)
}

function stateOf(batchNorm) {
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
