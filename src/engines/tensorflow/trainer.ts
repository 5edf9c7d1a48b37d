import { inputDimension, latentDimension } from '../../model/architecture.js'
import { epochOrder, fillEvaluationNoise } from '../../model/random.js'
import { initialState, type TrainerState } from '../../model/state.js'
import type { Images, Losses, NoiseField } from '../engine.js'
import { meanLosses } from '../losses.js'
import { adamStep } from '../tensorflow-graph/adam.js'
import { stepFeed } from '../tensorflow-graph/batch.js'
import { type Feed, feed } from '../tensorflow-graph/graph.js'
import { type BatchSource, inferenceName, stepName } from '../tensorflow-graph/procedures.js'
import { initialParts, type NetworkSpec, partsOf } from '../tensorflow-graph/variables.js'
import type { Feeds, Session } from './session.js'

/** Images at a time in an evaluation, which bounds the memory of their activations. */
const imagesPerInference = 2000

/** Called between steps with the progress of an epoch. Returns whether to stop. */
export type StepWatch = (imagesDone: number, meanLoss: () => number) => Promise<boolean>

/** Replicas of a network in training. All calls but trainEpoch block. */
export class ReplicaTrainer {
  readonly imageCount: number
  readonly #session: Session
  readonly #spec: NetworkSpec
  readonly #inputs: number
  /** Steps taken by each replica. */
  readonly #steps: number[]
  readonly #noise: EvaluationNoise

  constructor(session: Session, spec: NetworkSpec, images: Uint8Array) {
    this.#session = session
    this.#spec = spec
    this.#inputs = inputDimension(spec)
    this.imageCount = images.length / this.#inputs
    this.#steps = spec.seeds.map(() => 0)
    this.#noise = new EvaluationNoise(this.#inputs)
    session.run('set-images', { images: feed([this.imageCount, this.#inputs], images) })
    this.#setInitialStates()
  }

  setState(replica: number, state: TrainerState): void {
    const parts = partsOf(this.#spec).map((part) => [part, feed([state[part].length], state[part])])
    this.#session.run('set-state', { replica: scalar(replica), ...Object.fromEntries(parts) })
    this.#steps[replica] = state.step
  }

  getState(replica: number): TrainerState {
    const parts = this.#session.run('get-state', { replica: scalar(replica) })
    return {
      step: this.#steps[replica]!,
      parameters: parts.parameters!,
      firstMoments: parts.firstMoments!,
      secondMoments: parts.secondMoments!,
      runningStatistics: parts.runningStatistics ?? new Float32Array(0),
      averagedParameters: new Float32Array(0),
      averagedStatistics: new Float32Array(0),
    }
  }

  /** Returns the losses of each replica, or null if `watch` stopped it. */
  async trainEpoch(epoch: number, watch: StepWatch): Promise<readonly Losses[] | null> {
    this.#setOrder(epoch)
    const noAdam = { rate: 0, epsilon: 0 }
    this.#session.run('draw-noise', { step: stepFeed({ epoch, begin: 0, count: 0, adam: noAdam }) })
    const sums = new ReplicaLosses(this.#spec.seeds.length)
    for (let begin = 0; begin < this.imageCount; begin += this.#spec.batchSize) {
      if (await watch(begin, () => meanOverReplicas(sums.means()))) return null
      const count = Math.min(this.#spec.batchSize, this.imageCount - begin)
      this.#step('resident', epoch, begin, count, sums, {})
    }
    return sums.means()
  }

  /** One step on [replicas][count][inputs] each. */
  trainBatch(clean: Float32Array, noisy: Float32Array): readonly Losses[] {
    const replicas = this.#spec.seeds.length
    const count = clean.length / this.#inputs / replicas
    const shape = [replicas, count, this.#inputs]
    const sums = new ReplicaLosses(replicas)
    this.#step('given', 0, 0, count, sums, { clean: feed(shape, clean), noisy: feed(shape, noisy) })
    return sums.means()
  }

  encode(replica: number, images: Images): Float32Array {
    return this.#infer('encode', replica, images, latentDimension(this.#spec))
  }

  reconstruct(replica: number, images: Images): Float32Array {
    return this.#infer('reconstruct', replica, images, this.#inputs)
  }

  meanSquaredError(replica: number, images: Images, noise: NoiseField | null): number {
    const errors = this.#infer('error', replica, images, 1, (first, count) => ({
      noise: noise === null ? feed([1, 1], new Float32Array(1)) : this.#noise.feed(noise, first, count),
    }))
    return errors.reduce((sum, error) => sum + error, 0) / images.length
  }

  #setInitialStates(): void {
    const { seeds } = this.#spec
    const states = seeds.map((seed) =>
      initialState({ ...this.#spec, init: 'he-uniform', averaging: null }, seed),
    )
    const feeds = initialParts(this.#spec).map((part) => {
      const size = states[0]![part].length
      const values = new Float32Array(seeds.length * size)
      for (const [replica, state] of states.entries()) values.set(state[part], replica * size)
      return [part, feed([seeds.length, size], values)]
    })
    this.#session.run('begin', Object.fromEntries(feeds))
  }

  #setOrder(epoch: number): void {
    const { seeds } = this.#spec
    const words = new Int32Array(2 * seeds.length * this.imageCount)
    for (const [replica, seed] of seeds.entries()) {
      const order = epochOrder(seed, epoch, this.imageCount)
      const first = 2 * replica * this.imageCount
      for (let i = 0; i < order.length; i++) words[first + 2 * i] = order[i]!
    }
    this.#session.run('set-order', { order: feed([seeds.length, this.imageCount], words) })
  }

  #step(
    source: BatchSource,
    epoch: number,
    begin: number,
    count: number,
    sums: ReplicaLosses,
    feeds: Feeds,
  ): void {
    const { eigenLosses, adam } = this.#spec
    const withEigenLosses = eigenLosses.length > 0 && count > latentDimension(this.#spec)
    const step = stepFeed({ epoch, begin, count, adam: adamStep(adam, this.#countStep()) })
    const { losses } = this.#session.run(stepName(source, withEigenLosses), { step, ...feeds })
    sums.add(losses!, count, withEigenLosses)
  }

  /** Returns the number of the next step. All replicas take it at once, so they must be at the same one. */
  #countStep(): number {
    const [first] = this.#steps
    if (this.#steps.some((step) => step !== first)) throw new Error('replicas are at different steps')
    for (const replica of this.#steps.keys()) this.#steps[replica]!++
    return first! + 1
  }

  #infer(
    kind: 'encode' | 'reconstruct' | 'error',
    replica: number,
    images: Images,
    width: number,
    moreFeeds: (first: number, count: number) => Feeds = () => ({}),
  ): Float32Array {
    const total = images.length / this.#inputs
    const results = new Float32Array(total * width)
    const name = inferenceName(kind, images instanceof Uint8Array ? 'uint8' : 'float')
    for (let first = 0; first < total; first += imagesPerInference) {
      const count = Math.min(imagesPerInference, total - first)
      const some = images.subarray(first * this.#inputs, (first + count) * this.#inputs)
      const feeds = { images: feed([count, this.#inputs], some), replica: scalar(replica) }
      const { result } = this.#session.run(name, { ...feeds, ...moreFeeds(first, count) })
      results.set(result!, first * width)
    }
    return results
  }
}

function scalar(value: number): Feed {
  return feed([], Int32Array.of(value))
}

export function meanOverReplicas(losses: readonly Losses[]): number {
  return losses.reduce((sum, { loss }) => sum + loss, 0) / losses.length
}

/** Each replica's sums over the images of a call, from the means of its batches, [3][replicas] as trainingStep has them. */
class ReplicaLosses {
  readonly #replicas: number
  readonly #squaredError: Float64Array
  readonly #eigenLoss: Float64Array
  readonly #weighted: Float64Array
  #images = 0
  #eigenLossImages = 0

  constructor(replicas: number) {
    this.#replicas = replicas
    this.#squaredError = new Float64Array(replicas)
    this.#eigenLoss = new Float64Array(replicas)
    this.#weighted = new Float64Array(replicas)
  }

  add(means: Float32Array, count: number, withEigenLosses: boolean): void {
    for (let replica = 0; replica < this.#replicas; replica++) {
      this.#squaredError[replica]! += means[replica]! * count
      this.#eigenLoss[replica]! += means[this.#replicas + replica]! * count
      this.#weighted[replica]! += means[2 * this.#replicas + replica]! * count
    }
    this.#images += count
    if (withEigenLosses) this.#eigenLossImages += count
  }

  means(): readonly Losses[] {
    const [images, eigenLossImages] = [this.#images, this.#eigenLossImages]
    return Array.from(this.#squaredError, (squaredError, replica) => {
      const [eigenLoss, weighted] = [this.#eigenLoss[replica]!, this.#weighted[replica]!]
      const terms = eigenLossImages === 0 ? [] : [{ value: eigenLoss, weighted, images: eigenLossImages }]
      return meanLosses({ loss: squaredError + weighted, squaredError, images, terms })
    })
  }
}

/** The noise of evaluations, drawn once and kept, because every epoch's evaluation uses the same. */
class EvaluationNoise {
  readonly #inputs: number
  #field: NoiseField | null = null
  #values = new Float32Array(0)

  constructor(inputs: number) {
    this.#inputs = inputs
  }

  /** Returns [count][inputs] for the images from `first` on. */
  feed(field: NoiseField, first: number, count: number): Feed {
    if (this.#field?.seed !== field.seed || this.#field.deviation !== field.deviation) {
      this.#field = field
      this.#values = new Float32Array(0)
    }
    const drawn = this.#values.length / this.#inputs
    if (first + count > drawn) this.#draw(field, drawn, first + count)
    const values = this.#values.subarray(first * this.#inputs, (first + count) * this.#inputs)
    return feed([count, this.#inputs], values)
  }

  #draw({ seed, deviation }: NoiseField, from: number, to: number): void {
    const grown = new Float32Array(to * this.#inputs)
    grown.set(this.#values)
    for (let image = from; image < to; image++) {
      const values = grown.subarray(image * this.#inputs, (image + 1) * this.#inputs)
      fillEvaluationNoise(values, image, deviation, seed)
    }
    this.#values = grown
  }
}
