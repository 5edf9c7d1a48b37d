import { inputDimension, latentDimension, layersOf } from '../../model/architecture.js'
import { epochOrder, fillEvaluationNoise } from '../../model/random.js'
import { scheduledValue } from '../../model/schedule.js'
import { initialState, type StatePart, stateOf, type TrainerState } from '../../model/state.js'
import { meanLosses } from '../core.js'
import type { EigenLossSpec, Images, Losses, NetworkValues, NoiseField } from '../engine.js'
import { type Feed, feed, type Procedure } from '../tensorflow-graph/graph.js'
import type { Ops } from '../tensorflow-graph/ops.js'
import {
  type BatchSource,
  hiddenPositions,
  type InferenceKind,
  inferenceName,
  procedures,
  stepName,
} from '../tensorflow-graph/procedures.js'
import { type ActiveTerms, optimizerStep, type Step, stepFeed } from '../tensorflow-graph/step.js'
import { type NetworkSpec, partsOf } from '../tensorflow-graph/variables.js'
import type { Feeds, Results, Session } from './session.js'

/** Images at a time in an evaluation, which bounds the memory of their activations. */
const imagesPerInference = 2000

/** Called between steps with the progress of an epoch. Returns whether to stop. */
export type StepWatch = (imagesDone: number, meanLoss: () => number) => Promise<boolean>

/** Loads a graph of the procedures that the function returns. */
export type OpenSession = (procedures: (ops: Ops) => readonly Procedure[]) => Session

/** Replicas of a network in training. All calls but trainEpoch block. */
export class ReplicaTrainer {
  readonly imageCount: number
  readonly #open: OpenSession
  readonly #spec: NetworkSpec
  readonly #images: Uint8Array
  readonly #inputs: number
  /** Steps taken by each replica. */
  readonly #steps: number[]
  /** The noise of evaluations [images drawn][inputs], kept because every epoch's evaluation uses the same. */
  #noise = { seed: 0, deviation: 0, values: new Float32Array(0) }
  /** The sets of eigen losses that the session has steps for. */
  #termSets: readonly ActiveTerms[]
  #session: Session

  constructor(open: OpenSession, spec: NetworkSpec, images: Uint8Array) {
    this.#open = open
    this.#spec = spec
    this.#images = images
    this.#inputs = inputDimension(spec)
    this.imageCount = images.length / this.#inputs
    this.#steps = spec.seeds.map(() => 0)
    this.#termSets = this.#firstTermSets()
    this.#session = this.#openSession(spec.seeds.map((seed) => initialState(spec, seed)))
  }

  setState(replica: number, state: TrainerState): void {
    const states = this.#states()
    states[replica] = state
    this.#setStates(this.#session, states)
    this.#steps[replica] = state.step
  }

  getState(replica: number): TrainerState {
    const parts = this.#session.run('get-state', { replica: scalar(replica) })
    return stateOf(this.#spec, this.#steps[replica]!, ({ part }) => parts[part] ?? new Float32Array(0))
  }

  /** Returns the losses of each replica, or null if `watch` stopped it. */
  async trainEpoch(epoch: number, watch: StepWatch): Promise<readonly Losses[] | null> {
    const sums = this.#newLosses()
    let ready = false
    for (let begin = 0; begin < this.imageCount; begin += this.#spec.batchSize) {
      if (await watch(begin, () => meanOverReplicas(sums.means()))) return null
      const step = this.#nextStep(epoch, begin, Math.min(this.#spec.batchSize, this.imageCount - begin))
      const rewritten = this.#writeStep(step.active)
      if (rewritten || !ready) this.#prepareEpoch(step)
      ready = true
      this.#train('resident', step, sums, {})
    }
    return sums.means()
  }

  /** One step on [replicas][count][inputs] each. */
  trainBatch(clean: Float32Array, noisy: Float32Array): readonly Losses[] {
    const replicas = this.#spec.seeds.length
    const count = clean.length / this.#inputs / replicas
    const shape = [replicas, count, this.#inputs]
    const sums = this.#newLosses()
    const step = this.#nextStep(0, 0, count)
    this.#writeStep(step.active)
    this.#train('given', step, sums, { clean: feed(shape, clean), noisy: feed(shape, noisy) })
    return sums.means()
  }

  encode(replica: number, images: Images): Float32Array {
    return this.#inferOne('encode', replica, images, latentDimension(this.#spec))
  }

  inspect(replica: number, images: Images, rows: number, withError: boolean): NetworkValues {
    return {
      embedding: this.encode(replica, images),
      linearOutputs: this.#linearOutputs(replica, images.subarray(0, rows * this.#inputs)),
      mse: withError ? this.meanSquaredError(replica, images, null) : Number.NaN,
    }
  }

  #linearOutputs(replica: number, images: Images): readonly Float32Array[] {
    const hidden = hiddenPositions(this.#spec)
    if (hidden.length === 0) return []
    const layers = layersOf(this.#spec)
    const widths = Object.fromEntries(hidden.map((position) => [position, layers[position]!.outputs]))
    const results = this.#infer('linear-outputs', replica, images, widths)
    return hidden.map((position) => results[position]!)
  }

  reconstruct(replica: number, images: Images): Float32Array {
    return this.#inferOne('reconstruct', replica, images, this.#inputs)
  }

  meanSquaredError(replica: number, images: Images, noise: NoiseField | null): number {
    const errors = this.#inferOne('error', replica, images, 1, (first, count) => ({
      noise: noise === null ? feed([1, 1], new Float32Array(1)) : this.#noiseFeed(noise, first, count),
    }))
    return errors.reduce((sum, error) => sum + error, 0) / images.length
  }

  /** Returns the noise [count][inputs] of the images from `first` on. */
  #noiseFeed({ seed, deviation }: NoiseField, first: number, count: number): Feed {
    const isKept = this.#noise.seed === seed && this.#noise.deviation === deviation
    const old = isKept ? this.#noise.values : new Float32Array(0)
    const [inputs, end] = [this.#inputs, (first + count) * this.#inputs]
    if (old.length < end) {
      const values = new Float32Array(end)
      values.set(old)
      for (let image = old.length / inputs; image < first + count; image++)
        fillEvaluationNoise(values.subarray(image * inputs, (image + 1) * inputs), image, deviation, seed)
      this.#noise = { seed, deviation, values }
    }
    return feed([count, inputs], this.#noise.values.subarray(first * inputs, end))
  }

  /** Those of the first step and, if it is shorter, the last batch: all that a constant weight needs. */
  #firstTermSets(): readonly ActiveTerms[] {
    const { batchSize, eigenLosses } = this.#spec
    const last = this.imageCount % batchSize || batchSize
    const sets = [batchSize, last].map((count) => activeTerms(eigenLosses, this.#weights(0), count))
    return withoutRepetitions(sets)
  }

  /** Loads a graph with the steps for `#termSets`. */
  #openSession(states: readonly TrainerState[]): Session {
    const session = this.#open((ops) => procedures(ops, this.#spec, this.#termSets))
    session.run('set-images', { images: feed([this.imageCount, this.#inputs], this.#images) })
    this.#setStates(session, states)
    return session
  }

  #states(): TrainerState[] {
    return this.#spec.seeds.map((_, replica) => this.getState(replica))
  }

  #setStates(session: Session, states: readonly TrainerState[]): void {
    session.run(
      'set-states',
      Object.fromEntries(partsOf(this.#spec).map((part) => [part, stacked(states, part)])),
    )
  }

  /**
   * Makes sure that the graph has the step for a set of eigen losses. A graph that is loaded cannot grow, so a new one
   * takes over the state. Returns whether that happened.
   */
  #writeStep(active: ActiveTerms): boolean {
    const sets = withoutRepetitions([...this.#termSets, active])
    if (sets.length === this.#termSets.length) return false
    const states = this.#states()
    this.#session.dispose()
    this.#termSets = sets
    this.#session = this.#openSession(states)
    return true
  }

  /** Sets the order of an epoch, and draws the noise of the given step, as the step before it does otherwise. */
  #prepareEpoch(step: NextStep): void {
    const { seeds } = this.#spec
    const words = new Int32Array(2 * seeds.length * this.imageCount)
    for (const [replica, seed] of seeds.entries()) {
      const order = epochOrder(seed, step.epoch, this.imageCount)
      const first = 2 * replica * this.imageCount
      for (let i = 0; i < order.length; i++) words[first + 2 * i] = order[i]!
    }
    this.#session.run('set-order', { order: feed([seeds.length, this.imageCount], words) })
    this.#session.run('draw-noise', { step: stepFeed(step) })
  }

  /** Returns the numbers of the next step. All replicas take it at once, so they must have taken the same number of steps. */
  #nextStep(epoch: number, begin: number, count: number): NextStep {
    const { eigenLosses, optimizer } = this.#spec
    const taken = this.#steps[0]!
    if (this.#steps.some((steps) => steps !== taken)) throw new Error('replicas are at different steps')
    const weights = this.#weights(taken)
    const active = activeTerms(eigenLosses, weights, count)
    return { ...optimizerStep(optimizer, taken), epoch, begin, count, weights, active }
  }

  #weights(step: number): readonly number[] {
    return this.#spec.eigenLosses.map(({ weight }) => scheduledValue(weight, step))
  }

  #train(source: BatchSource, step: NextStep, sums: ReplicaLosses, feeds: Feeds): void {
    const { losses } = this.#session.run(stepName(source, step.active), { step: stepFeed(step), ...feeds })
    for (const replica of this.#steps.keys()) this.#steps[replica]!++
    sums.add(losses!, step.count, step.active)
  }

  #newLosses(): ReplicaLosses {
    return new ReplicaLosses(this.#spec.seeds.length, this.#spec.eigenLosses.length)
  }

  #inferOne(
    kind: InferenceKind,
    replica: number,
    images: Images,
    width: number,
    moreFeeds?: (first: number, count: number) => Feeds,
  ): Float32Array {
    return this.#infer(kind, replica, images, { result: width }, moreFeeds).result!
  }

  /** @param widths of the results by their names, which are [images][width] */
  #infer(
    kind: InferenceKind,
    replica: number,
    images: Images,
    widths: Readonly<Record<string, number>>,
    moreFeeds: (first: number, count: number) => Feeds = () => ({}),
  ): Results {
    const total = images.length / this.#inputs
    const results = mapValues(widths, (width) => new Float32Array(total * width))
    const name = inferenceName(kind, images instanceof Uint8Array ? 'uint8' : 'float')
    for (let first = 0; first < total; first += imagesPerInference) {
      const count = Math.min(imagesPerInference, total - first)
      const some = images.subarray(first * this.#inputs, (first + count) * this.#inputs)
      const feeds = { images: feed([count, this.#inputs], some), replica: scalar(replica) }
      const parts = this.#session.run(name, { ...feeds, ...moreFeeds(first, count) })
      for (const [result, width] of Object.entries(widths))
        results[result]!.set(parts[result]!, first * width)
    }
    return results
  }
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

function scalar(value: number): Feed {
  return feed([], Int32Array.of(value))
}

interface NextStep extends Step {
  readonly active: ActiveTerms
}

/** Returns the indices of the eigen losses that a batch of `count` images has. */
function activeTerms(
  eigenLosses: readonly EigenLossSpec[],
  weights: readonly number[],
  count: number,
): ActiveTerms {
  return eigenLosses.flatMap(({ minimumImages }, index) =>
    weights[index] !== 0 && count >= minimumImages ? [index] : [],
  )
}

function withoutRepetitions(sets: readonly ActiveTerms[]): readonly ActiveTerms[] {
  return [...new Map(sets.map((set) => [set.join(), set])).values()]
}

/** Returns a part of all states, [replicas][its size]. */
function stacked(states: readonly TrainerState[], part: StatePart): Feed {
  const size = states[0]![part].length
  const values = new Float32Array(states.length * size)
  for (const [replica, state] of states.entries()) values.set(state[part], replica * size)
  return feed([states.length, size], values)
}

/** Each replica's sums over the images of a call, from the means of its batches. */
class ReplicaLosses {
  /** [replicas], each as meanLosses takes them. */
  readonly #sums: readonly Float64Array[]

  constructor(replicas: number, terms: number) {
    this.#sums = Array.from({ length: replicas }, () => new Float64Array(3 + 3 * terms))
  }

  /** @param means [1 + 2 · active][replicas], as trainingStep returns them */
  add(means: Float32Array, count: number, active: ActiveTerms): void {
    const replicas = this.#sums.length
    for (const [replica, sums] of this.#sums.entries()) {
      sums[1]! += means[replica]! * count
      sums[2]! += count
      for (const [row, index] of active.entries()) {
        const first = (1 + 2 * row) * replicas + replica
        const term = 3 + 3 * index
        sums[term]! += means[first]! * count
        sums[term + 1]! += means[first + replicas]! * count
        sums[term + 2]! += count
      }
    }
  }

  means(): readonly Losses[] {
    return this.#sums.map((sums) => {
      let weighted = 0
      for (let term = 3; term < sums.length; term += 3) weighted += sums[term + 1]!
      sums[0] = sums[1]! + weighted
      return meanLosses(sums)
    })
  }
}

export function meanOverReplicas(losses: readonly Losses[]): number {
  return losses.reduce((sum, { loss }) => sum + loss, 0) / losses.length
}
