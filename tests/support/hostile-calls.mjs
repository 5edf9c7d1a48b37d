// Calls both interfaces of the core, the addon and src/engines/wasm, with every mistake that a caller may make. Each call must
// be rejected with a TypeError or a RangeError that names the argument, or succeed; none may end the process.
//
//   node tests/support/hostile-calls.mjs [--door native|wasm] [--addon FILE]
//
// Calls run in child processes. A call that ends its process is counted as a failure, and the next call runs in a new process.
// With a sanitizer, set LD_PRELOAD and name the addon that was built with it.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compileFormula } from '../../dist/formulas/program.js'
import { tapeOf } from '../../dist/formulas/tape.js'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('../../', import.meta.url))
const inputs = 5
const layers = [inputs, 4, 2]

const topOne = { text: 'sum(first(sigma, 1)) / sum(sigma)', parameters: {}, center: false }
const tape = (width = 2) => tapeOf(compileFormula(topOne, width))
const eigenLoss = () => ({ center: false, layers: [1], tapes: [tape()], minimumImages: 3 })
const adam = () => ({ kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 })
const sgd = () => ({ kind: 'sgd', momentum: 0.9, nesterov: true })
const spec = (changes = {}) => ({
  widths: [...layers],
  batchNorm: [true, false, true],
  activation: 'relu',
  slope: 0,
  eigenLosses: [eigenLoss()],
  optimizer: adam(),
  averaging: null,
  batchSize: 4,
  seed: 1,
  noise: 0.2,
  threads: 2,
  ...changes,
})
const bytes = (count) => Uint8Array.from({ length: count * inputs }, (_, i) => (i * 37) % 256)
const floats = (count) => Float32Array.from(bytes(count), (byte) => byte / 255)
const order = (count) => Uint32Array.from({ length: count }, (_, i) => count - 1 - i)
/** The values of an epoch of 7 images, of a batch, or of another number of steps. */
const stepValues = (steps = 2, changes = {}) => ({
  learningRates: new Float64Array(steps).fill(0.005),
  weights: new Float64Array(steps).fill(0.5),
  ...changes,
})
const noise = (changes = {}) => ({ seed: 1, purpose: 4, epoch: 0, deviation: 0.2, ...changes })
const detach = (array) => {
  structuredClone(array.buffer, { transfer: [array.buffer] })
  return array
}
const after = (effect, value) => {
  effect()
  return value
}
const shared = (array) => {
  const copy = new array.constructor(new SharedArrayBuffer(array.byteLength))
  copy.set(array)
  return copy
}

/** Values that are not objects. */
const primitives = [undefined, null, 5, Number.NaN, 'text', true, 7n, Symbol('s')]
const notObjects = [...primitives, () => {}]
const notStrings = [undefined, null, 5, {}, [], true, 7n, Symbol('s'), new String('top-k')]
const notBooleans = [undefined, null, 0, 1, 'true', {}, new Boolean(true)]
const notNumbers = [
  undefined,
  null,
  '1',
  true,
  7n,
  {},
  [],
  [1],
  Symbol('s'),
  () => 1,
  new Number(1),
  { valueOf: () => 1 },
]
const notFinite = [Number.NaN, Infinity, -Infinity]
const notCounts = [...notNumbers, ...notFinite, -1, 1.5, 2 ** 32, 2 ** 53, 1e300, -1e300]
const typedArrays = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
]
/** Values that are not typed arrays of these types. */
const notArraysOf = (...types) => [
  ...notObjects,
  ...[{}, [], [1, 2, 3, 4, 5], { length: 5 }, new ArrayBuffer(40), new SharedArrayBuffer(40)],
  ...[new DataView(new ArrayBuffer(40)), new Proxy(new types[0](10), {}), Object.create(new types[0](10))],
  ...typedArrays.filter((type) => !types.includes(type)).map((type) => new type(10)),
  ...types.map((type) => detach(new type(10))),
]

/** Returns rows of { name, refusal, call }. `refusal` is part of the message, or null if the call may also succeed. */
function rows(door) {
  const found = []
  const add = (name, refusal, call) => found.push({ name, refusal, call })
  const each = (name, refusal, values, call) => {
    for (const [i, value] of values.entries())
      add(`${name} ${shown(value)} (${i})`, refusal, () => call(value))
  }
  const trainer = () => door.create(spec(), bytes(7))
  const withTrainer = async (use) => {
    const made = trainer()
    try {
      return await use(made)
    } finally {
      await made.dispose()
    }
  }

  // The spec, field by field.
  const create = (changes) => door.create(spec(changes), bytes(7))
  each('spec', 'spec', [...notObjects, []], (value) => door.create(value, bytes(7)))
  each('widths', 'spec.widths', [...notObjects, {}, new Uint32Array(3), { length: 3 }], (widths) =>
    create({ widths }),
  )
  const lengths = [[], [5], new Array(2 ** 32 - 1), new Array(70_000)]
  each('widths', 'spec.widths', lengths, (widths) => create({ widths }))
  const notWidths = [...notCounts, 0, 65_537]
  each('width', 'spec.widths[1]', notWidths, (width) => create({ widths: [inputs, width, 2] }))
  each('latent', 'spec.widths[2]', notWidths, (width) => create({ widths: [inputs, 4, width] }))
  const notFlags = [...notObjects, {}, 'all', [], [true, true], new Array(4), new Array(2 ** 32 - 1)]
  each('batchNorm', 'spec.batchNorm', notFlags, (batchNorm) => create({ batchNorm }))
  each('flag', 'spec.batchNorm[1]', notBooleans, (flag) => create({ batchNorm: [true, flag, true] }))
  each('activation', 'spec.activation', [...notStrings, '', 'Relu', 'x'.repeat(1e6)], (activation) =>
    create({ activation }),
  )
  each('slope', 'spec.slope', [...notNumbers, ...notFinite, -1, 1.5, 1e300], (slope) => create({ slope }))
  each('eigenLosses', 'spec.eigenLosses', [...notObjects, {}, new Array(2 ** 32 - 1)], (eigenLosses) =>
    create({ eigenLosses }),
  )
  each('eigenLoss', 'spec.eigenLosses[0]', notObjects, (value) => create({ eigenLosses: [value] }))
  const changed = (changes) => create({ eigenLosses: [{ ...eigenLoss(), ...changes }] })
  each('tapes', 'spec.eigenLosses[0].tapes', [...notObjects, {}, [], [1, 2]], (tapes) => changed({ tapes }))
  each('tape', 'spec.eigenLosses[0].tapes[0]', notObjects, (value) => changed({ tapes: [value] }))
  const spoilt = (spoil) => {
    const { words, constants } = tape()
    return changed({ tapes: [spoil(words, constants)] })
  }
  each('words', 'spec.eigenLosses[0].tapes[0].words', [...notObjects, [1], new Int32Array(18)], (words) =>
    spoilt((_, constants) => ({ words, constants })),
  )
  each(
    'constants',
    'spec.eigenLosses[0].tapes[0].constants',
    [...notObjects, [1], new Float64Array([NaN])],
    (constants) => spoilt((words) => ({ words, constants })),
  )
  const notTapes = [
    ...[[], new Array(11).fill(0), new Array(12).fill(0), new Array(19).fill(0)].map((words) =>
      Uint32Array.from(words),
    ),
    // A derivative with respect to means that it does not have.
    tape().words.with(8, tape().words[7]),
    // The head, and operation, count and places of each instruction.
    ...[...tape().words.keys()]
      .filter((i) => i < 11 || (i - 11) % 7 < 4)
      .map((i) => tape().words.with(i, 0x7fffffff)),
  ]
  each('tape', 'spec.eigenLosses', notTapes, (words) => spoilt((_, constants) => ({ words, constants })))
  each('many constants', 'spec.eigenLosses', [new Float64Array(1e6)], (constants) =>
    spoilt((words) => ({ words, constants })),
  )
  const notLayers = [...notObjects, {}, [], [0, 1, 2, 0], new Array(2 ** 32 - 1), new Uint32Array(2)]
  each('layers', 'spec.eigenLosses[0].layers', notLayers, (layers) => changed({ layers }))
  each('layer', 'spec.eigenLosses[0].layers[0]', [...notCounts, 3], (layer) => changed({ layers: [layer] }))
  each('layer', 'spec.eigenLosses[0].layers[1]', [0, 1], (layer) =>
    changed({ layers: [1, layer], tapes: [tape(), tape()] }),
  )
  each('minimumImages', 'spec.eigenLosses[0].minimumImages', [...notCounts, 0], (minimumImages) =>
    changed({ minimumImages }),
  )
  each('center', 'spec.eigenLosses[0].center', notBooleans, (center) => changed({ center }))
  each('optimizer', 'spec.optimizer', [...notObjects, {}, []], (optimizer) => create({ optimizer }))
  each('kind of optimiser', 'spec.optimizer.kind', [...notStrings, '', 'Adam'], (kind) =>
    create({ optimizer: { ...adam(), kind } }),
  )
  const optimizer = (of, key, wrong) =>
    each(key, `spec.optimizer.${key}`, wrong, (value) => create({ optimizer: { ...of(), [key]: value } }))
  for (const key of ['beta1', 'beta2', 'epsilon', 'weightDecay'])
    optimizer(adam, key, [...notNumbers, ...notFinite])
  optimizer(sgd, 'momentum', [...notNumbers, ...notFinite])
  optimizer(sgd, 'nesterov', notBooleans)
  const notDecays = [
    ...notNumbers.filter((value) => value !== undefined && value !== null),
    ...notFinite,
    -1,
    2,
  ]
  each('averaging', 'spec.averaging', notDecays, (averaging) => create({ averaging }))
  each('batchSize', 'spec.batchSize', [...notCounts, 0, 65_537], (batchSize) => create({ batchSize }))
  add('batches that overflow', 'spec.batchSize', () =>
    create({ widths: [inputs, 65_536, 2], batchSize: 65_536 }),
  )
  each('seed', 'spec.seed', notCounts, (seed) => create({ seed }))
  each('noise', 'spec.noise', [...notNumbers, ...notFinite], (deviation) => create({ noise: deviation }))
  each('threads', 'spec.threads', [...notCounts, 0, 4097], (threads) => create({ threads }))
  const notBytes = notArraysOf(Uint8Array)
  each('training images', 'images', [...notBytes, new Uint8Array(inputs + 1)], (images) =>
    door.create(spec(), images),
  )
  add('4 GiB of training images', 'images', () => door.create(spec(), new Uint8Array(2 ** 32)))

  // Methods.
  const method = (name, refusal, values, call) =>
    each(name, refusal, values, (value) => withTrainer((made) => call(made, value)))
  method('order', 'order', notArraysOf(Uint32Array), (made, value) => made.trainEpoch(value, 1, stepValues()))
  const notOrders = [Uint32Array.of(7), Uint32Array.of(0, 2 ** 32 - 1), Uint32Array.of(-1)]
  method('order', 'order', notOrders, (made, value) => made.trainEpoch(value, 1, stepValues()))
  method('epoch', 'epoch', notCounts, (made, value) => made.trainEpoch(order(7), value, stepValues()))
  const notFloats = [
    ...notArraysOf(Float32Array),
    new Float32Array(0),
    new Float32Array(inputs + 1),
    floats(5),
  ]
  method('clean', 'clean', notFloats, (made, value) => made.trainBatch(value, floats(2), stepValues(1)))
  method('noisy', 'noisy', [...notFloats, floats(1)], (made, value) =>
    made.trainBatch(floats(2), value, stepValues(1)),
  )
  const notValues = [...notObjects, {}, []]
  method('values', 'values', notValues, (made, value) => made.trainEpoch(order(7), 1, value))
  method('values', 'values', notValues, (made, value) => made.trainBatch(floats(2), floats(2), value))
  const notDoubles = [...notArraysOf(Float64Array), new Float64Array(0), new Float64Array(3)]
  for (const key of ['learningRates', 'weights']) {
    const wrong = [...notDoubles, ...notFinite.map((value) => Float64Array.of(1, value))]
    method(key, `values.${key}`, wrong, (made, value) =>
      made.trainEpoch(order(7), 1, stepValues(2, { [key]: value })),
    )
    method(key, `values.${key}`, [...notDoubles, new Float64Array(2)], (made, value) =>
      made.trainBatch(floats(2), floats(2), stepValues(1, { [key]: value })),
    )
  }
  const notImages = notArraysOf(Uint8Array, Float32Array)
  const parts = [new Uint8Array(inputs + 1), new Float32Array(inputs - 1), new Uint8Array(2 ** 32)]
  for (const name of ['encode', 'reconstruct', 'meanSquaredError']) {
    method(name, 'images', [...notImages, ...parts], (made, value) => made[name](value, null))
    add(`${name} of no image`, null, () => withTrainer((made) => made[name](new Uint8Array(0), null)))
  }
  const error = (made, value) => made.meanSquaredError(bytes(3), value)
  const someNotObjects = notObjects.filter((value) => value !== null && value !== undefined)
  method('noise', 'noise', [...someNotObjects, {}], error)
  for (const key of ['seed', 'purpose', 'epoch']) {
    method(key, `noise.${key}`, notCounts, (made, value) => error(made, noise({ [key]: value })))
  }
  method('deviation', 'noise.deviation', [...notNumbers, ...notFinite], (made, value) =>
    error(made, noise({ deviation: value })),
  )
  const set = (made, changes) => made.setState({ ...made.getState(), ...changes })
  method('state', 'state', [...notObjects, {}, []], (made, value) => made.setState(value))
  method(
    'step',
    'state.step',
    notCounts.filter((value) => value !== 2 ** 32 && value !== 2 ** 53),
    (made, step) => set(made, { step }),
  )
  const averages = ['averagedParameters', 'averagedStatistics']
  for (const key of ['parameters', 'firstMoments', 'secondMoments', 'runningStatistics', ...averages]) {
    const notStates = [
      ...notArraysOf(Float32Array),
      ...(averages.includes(key) ? [] : [new Float32Array(0)]),
      new Float32Array(1),
      new Float32Array(1e6),
    ]
    method(key, `state.${key}`, notStates, (made, value) => set(made, { [key]: value }))
  }

  // Methods called on other objects, and on no object.
  const names = [
    'setState',
    'getState',
    'step',
    'trainEpoch',
    'trainBatch',
    'encode',
    'reconstruct',
    'meanSquaredError',
  ]
  for (const name of [...names, 'progress', 'stop', 'dispose']) {
    const others = [...primitives, {}, () => {}, door, ...door.foreign]
    const wrong = door.wrongThis
    method(`${name} of`, wrong, others, (made, value) => made[name].call(value, bytes(1), null))
    add(`${name} of an heir`, wrong, () => withTrainer((made) => Object.create(made)[name](bytes(1), null)))
    add(`${name} of a proxy`, wrong, () => withTrainer((made) => new Proxy(made, {})[name](bytes(1), null)))
    add(`new ${name}`, '', () => withTrainer((made) => new made[name](bytes(1), null)))
  }

  // Calls at the wrong time, which throw an Error of any class.
  for (const name of names) {
    const given = {
      setState: [{}],
      trainEpoch: [order(7), 1, stepValues()],
      trainBatch: [floats(2), floats(2), stepValues(1)],
    }[name]
    const state = (made) => (name === 'setState' ? [made.getState()] : (given ?? [bytes(2), null]))
    add(`${name} after dispose`, 'Error: disposed', async () => {
      const made = trainer()
      const values = state(made)
      await made.dispose()
      await made.dispose()
      return made[name](...values)
    })
    add(`${name} while another runs`, 'Error: still at work', () =>
      withTrainer(async (made) => {
        const values = state(made)
        const first = made.encode(bytes(1000))
        try {
          return await made[name](...values)
        } finally {
          await first
        }
      }),
    )
    add(`dispose while ${name} runs`, null, async () => {
      const made = trainer()
      const pending = Promise.resolve(made[name](...state(made))).catch(() => {})
      await made.dispose()
      return pending
    })
    add(`stop while ${name} runs`, null, () =>
      withTrainer((made) => {
        const pending = made[name](...state(made))
        made.stop()
        return pending
      }),
    )
  }
  for (const name of ['progress', 'stop']) {
    add(`${name} after dispose`, 'Error: disposed', async () => {
      const made = trainer()
      await made.dispose()
      return made[name]()
    })
    add(`${name} before any call`, null, () => withTrainer((made) => made[name]()))
  }

  // Getters that throw or change values that have been read before.
  const thrown = () => {
    throw new RangeError('thrown by a getter')
  }
  const getter = (object, key, get) => Object.defineProperty({ ...object }, key, { get, enumerable: true })
  for (const key of Object.keys(spec())) {
    add(`spec.${key} throws`, 'thrown by a getter', () => door.create(getter(spec(), key, thrown), bytes(1)))
  }
  add('noise.seed throws', 'thrown by a getter', () =>
    withTrainer((made) => error(made, getter(noise(), 'seed', thrown))),
  )
  add('state.step throws', 'thrown by a getter', () =>
    withTrainer((made) => made.setState(getter(made.getState(), 'step', thrown))),
  )
  add('noise.seed disposes of the trainer', 'Error: disposed', () =>
    withTrainer((made) =>
      error(
        made,
        getter(noise(), 'seed', () => after(made.dispose.bind(made), 1)),
      ),
    ),
  )
  add('state.firstMoments disposes of the trainer', 'Error: disposed', () =>
    withTrainer((made) => {
      const state = made.getState()
      return made.setState(
        getter(state, 'firstMoments', () => after(made.dispose.bind(made), state.firstMoments)),
      )
    }),
  )
  add('noise.epoch starts another call', 'Error: still at work', () =>
    withTrainer((made) =>
      error(
        made,
        getter(noise(), 'epoch', () => after(() => made.encode(bytes(99)).catch(() => {}), 1)),
      ),
    ),
  )
  add('noise.seed detaches the images', null, () =>
    withTrainer((made) => {
      const images = bytes(9)
      return made.meanSquaredError(
        images,
        getter(noise(), 'seed', () => after(() => detach(images), 1)),
      )
    }),
  )
  add('state.secondMoments detaches the parameters', null, () =>
    withTrainer((made) => {
      const state = made.getState()
      const get = () => after(() => detach(state.parameters), state.secondMoments)
      return made.setState(getter(state, 'secondMoments', get))
    }),
  )
  add('a width empties the widths', 'spec.widths', () => {
    const widths = [...layers]
    Object.defineProperty(widths, 0, { get: () => after(() => widths.splice(1), inputs) })
    return create({ widths })
  })

  // Memory that is detached or changed while a call uses it.
  for (const name of ['encode', 'reconstruct', 'meanSquaredError']) {
    add(`${name} of images that are detached meanwhile`, null, () =>
      withTrainer((made) => {
        const images = bytes(20_000)
        const pending = made[name](images, null)
        detach(images)
        return pending
      }),
    )
  }
  add('an order that is spoilt meanwhile', null, () =>
    withTrainer((made) => {
      const places = order(7)
      const pending = made.trainEpoch(places, 1, stepValues())
      places.fill(2 ** 32 - 1)
      return pending
    }),
  )
  add('training images that are detached', null, () => {
    const images = bytes(7)
    const made = door.create(spec(), images)
    detach(images)
    return made.trainEpoch(order(7), 1, stepValues()).finally(() => made.dispose())
  })
  add('a batch that is detached meanwhile', null, () =>
    withTrainer((made) => {
      const clean = floats(2)
      const pending = made.trainBatch(clean, clean, stepValues(1))
      detach(clean)
      return pending
    }),
  )

  // The search for neighbours.
  function addSearches() {
    const valid = () => ({
      ...{
        points: floats(9),
        queries: floats(3),
        dimensions: inputs,
        neighbours: 2,
        leaveOut: true,
        threads: 2,
      },
    })
    const search = (changes) => door.findNeighbours({ ...valid(), ...changes }).found
    each('search', 'search', [...notObjects, {}, []], door.findNeighbours)
    for (const key of ['points', 'queries']) {
      const values = [...notArraysOf(Float32Array), new Float32Array(inputs + 1)]
      each(key, `search.${key}`, values, (value) => search({ [key]: value }))
      add(`no ${key}`, null, () => search({ [key]: new Float32Array(0) }))
    }
    for (const key of ['dimensions', 'neighbours', 'threads'])
      each(key, `search.${key}`, [...notCounts, 0], (value) => search({ [key]: value }))
    each('leaveOut', 'search.leaveOut', notBooleans, (leaveOut) => search({ leaveOut }))
    add('points that are detached meanwhile', null, () => {
      const points = floats(50_000)
      const { found: indices } = door.findNeighbours({ ...valid(), points, queries: points })
      detach(points)
      return indices
    })
    add('a search that is stopped, by another object', null, () => {
      const { found: indices, stop } = door.findNeighbours({ ...valid(), points: floats(50_000) })
      stop.call({})
      return indices
    })
    add('more neighbours than points', null, () => search({ neighbours: 65_536 }))
    const nan = () => search({ points: new Float32Array(45).fill(Number.NaN) })
    add('points that are no numbers', null, nan)
  }

  // The measures of a layer.
  function addMeasures() {
    const norm = { scale: new Float64Array(inputs), shift: new Float64Array(inputs) }
    const valid = () => ({ outputs: floats(9), width: inputs, center: true, ranked: true, norm })
    const measure = (changes) => door.measureLayer({ ...valid(), ...changes })
    each('layer', 'layer', [...notObjects, {}, []], door.measureLayer)
    const notOutputs = [...notArraysOf(Float32Array), new Float32Array(inputs + 1)]
    each('outputs', 'layer.outputs', notOutputs, (outputs) => measure({ outputs }))
    each('width', 'layer.width', [...notCounts, 0, 4097], (width) => measure({ width }))
    for (const key of ['center', 'ranked'])
      each(key, `layer.${key}`, notBooleans, (value) => measure({ [key]: value }))
    const notNorms = [...notArraysOf(Float64Array), new Float64Array(inputs + 1)]
    for (const key of ['scale', 'shift'])
      each(key, `layer.norm.${key}`, notNorms, (value) => measure({ norm: { ...norm, [key]: value } }))
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      add(`outputs of ${value}`, null, () => measure({ outputs: floats(9).fill(value) }))
    add('no outputs', null, () => measure({ outputs: new Float32Array(0) }))
  }

  // Unusual calls that may succeed.
  const odd = (name, call) => add(name, null, () => withTrainer(call))
  odd('shared images', (made) => made.encode(shared(bytes(9))))
  odd('a shared order', (made) => made.trainEpoch(shared(order(7)), 1, stepValues()))
  odd('a shared batch', (made) => made.trainBatch(shared(floats(2)), shared(floats(2)), stepValues(1)))
  odd('images off a cache line', (made) => made.encode(floats(9).subarray(inputs)))
  odd('bytes off a word', (made) => made.encode(bytes(9).subarray(inputs)))
  odd('an order twice as long', (made) =>
    made.trainEpoch(Uint32Array.of(0, 0, 0, 1, 1, 1, 6, 6, 6, 6, 6), 1, stepValues(3)),
  )
  odd('an empty order', (made) => made.trainEpoch(new Uint32Array(0), 1, stepValues(0)))
  odd('no numbers', async (made) => {
    await made.trainBatch(new Float32Array(10).fill(Number.NaN), floats(2), stepValues(1))
    await made.trainEpoch(order(7), 1, stepValues())
    return made.encode(bytes(3))
  })
  odd('infinite parameters', (made) => {
    const state = made.getState()
    made.setState({ ...state, parameters: state.parameters.fill(Infinity) })
    return made.trainEpoch(order(7), 2 ** 32 - 1, stepValues())
  })
  odd('an array that hides its length', (made) =>
    made.encode(Object.defineProperty(bytes(2), 'length', { value: 2 ** 20 * inputs })),
  )
  odd('an array that hides its buffer', (made) =>
    made.trainEpoch(
      Object.defineProperty(order(7), 'buffer', { value: new ArrayBuffer(4) }),
      1,
      stepValues(),
    ),
  )
  add('one layer each way', null, () => {
    const made = create({
      widths: [inputs, 2],
      batchNorm: [true],
      eigenLosses: [{ ...eigenLoss(), layers: [0] }],
    })
    return made.trainEpoch(order(7), 1, stepValues()).finally(() => made.dispose())
  })
  each('images that the embedding would outgrow all memory of', null, [1e6], async (count) => {
    const made = door.create(
      spec({ widths: [1, 1, 65_536], batchSize: 1, eigenLosses: [], batchNorm: [true, false, true] }),
      new Uint8Array(0),
    )
    try {
      return await made.encode(new Uint8Array(count))
    } finally {
      await made.dispose()
    }
  })
  if (door.findNeighbours) addSearches()
  if (door.measureLayer) addMeasures()
  if (door.measurePeak) each('peak', 'threads', [...notCounts, 0, 4097], door.measurePeak)
  return found
}

function shown(value) {
  const type = typeof value === 'object' && value !== null ? value.constructor?.name : typeof value
  return `${type} ${typeof value === 'number' || typeof value === 'boolean' ? value : ''}`.trim()
}

async function nativeDoor(addon) {
  const binding = require(addon)
  const { Resvg } = require('@resvg/resvg-js')
  return {
    create: binding.createTrainer,
    measurePeak: binding.measurePeak,
    findNeighbours: binding.findNeighbours,
    measureLayer: binding.measureLayer,
    // An object of another addon wraps something else.
    foreign: [binding, new Resvg('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    wrongThis: 'this',
  }
}

async function wasmDoor() {
  const { WasmTrainer } = await import(`${root}dist/engines/wasm/trainer.js`)
  const module = await WebAssembly.compile(readFileSync(`${root}native/wasm/eigenae.wasm`))
  return { create: (...values) => new WasmTrainer(module, ...values), foreign: [], wrongThis: '' }
}

/** Returns null if the outcome is correct, otherwise what is wrong. */
function judge(error, refusal) {
  if (error === null) return refusal === null ? null : 'it was not refused'
  if (refusal === null) return null // it was rejected
  if (!(error instanceof Error)) return `it throws ${String(error)}`
  const outOfTime = refusal.startsWith('Error: ')
  if (!outOfTime && !(error instanceof TypeError || error instanceof RangeError)) return `it throws ${error}`
  return error.message.includes(refusal.replace('Error: ', '')) ? null : `it throws ${error}`
}

async function runRows(door, first) {
  for (const [index, { name, refusal, call }] of rows(door).entries()) {
    if (index < first) continue
    process.send({ begun: index, name })
    const error = await (async () => call())().then(
      () => null,
      (thrown) => thrown ?? new Error('it throws nothing'),
    )
    process.send({ ended: index, name, wrong: judge(error, refusal) })
  }
  process.send({ done: true })
}

/** Runs all rows, in as many processes as necessary. Returns their number and the failures. */
async function campaign(doorName, addon) {
  const wrong = []
  let tries = 0
  for (let first = 0, done = false; !done; ) {
    let begun = null
    const args = [
      fileURLToPath(import.meta.url),
      '--door',
      doorName,
      '--addon',
      addon,
      '--from',
      String(first),
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('message', (message) => {
      if ('begun' in message) begun = message
      if ('ended' in message) tries++
      if (message.wrong) wrong.push(`${message.name}: ${message.wrong}`)
      if ('done' in message) done = true
    })
    const [code, signal] = await new Promise((resolve) => child.on('close', (...end) => resolve(end)))
    if (done && code === 0) break
    tries++
    wrong.push(
      `${begun?.name ?? 'the start'}: its process ended (${signal ?? code}) ${done ? 'at its exit' : ''}\n${stderr.slice(0, 4000)}`,
    )
    if (begun === null) break
    first = begun.begun + 1
  }
  return { tries, wrong }
}

const { values: options } = parseArgs({
  options: { door: { type: 'string' }, addon: { type: 'string' }, from: { type: 'string' } },
})
const addon = options.addon ?? `${root}native/build/eigenae.node`
if (options.from !== undefined) {
  const door = options.door === 'native' ? await nativeDoor(addon) : await wasmDoor()
  await runRows(door, Number(options.from))
  process.disconnect()
} else {
  for (const door of options.door ? [options.door] : ['native', 'wasm']) {
    const { tries, wrong } = await campaign(door, addon)
    console.log(`${door}: ${tries} calls, ${tries - wrong.length} passed, ${wrong.length} failed`)
    for (const each of wrong) console.log(`  ${each}`)
    if (wrong.length > 0) process.exitCode = 1
  }
}
