import { inputDimension, latentDimension } from '../../model/architecture.js'
import { epochOrder } from '../../model/shuffle.js'
import { initialState, type TrainerState } from '../../model/state.js'
import type { Images, Losses, NoiseField } from '../engine.js'
import { adamStep } from '../tensorflow-graph/adam.js'
import { stepFeed } from '../tensorflow-graph/batch.js'
import { type BatchSource, inferenceName, stepName } from '../tensorflow-graph/procedures.js'
import { drawnParts, partsOf } from '../tensorflow-graph/state.js'
import type { NetworkSpec } from '../tensorflow-graph/variables.js'
import { EvaluationNoise } from './evaluation-noise.js'
import { type Feeds, feed, type Program, scalar } from './program.js'
import { ReplicaLosses } from './replica-losses.js'

/** Images at a time in an evaluation: what their activations take is bounded. */
const imagesAtOnce = 2000

const noUpdate = { rate: 0, epsilon: 0 }

/** Says how far an epoch is, and whether to stop. Called between steps. */
export type StepWatch = (imagesDone: number, meanLoss: () => number) => Promise<boolean>

/** Replicas of a network in training, on a program of network/procedures.ts. Its calls block but for trainEpoch. */
export class ReplicaTrainer {
  readonly #program: Program
  readonly #spec: NetworkSpec
  readonly #inputs: number
  /** How many it trains on. */
  readonly images: number
  readonly #steps: number[]
  readonly #noise: EvaluationNoise

  constructor(program: Program, spec: NetworkSpec, images: Uint8Array) {
    this.#program = program
    this.#spec = spec
    this.#inputs = inputDimension(spec)
    this.images = images.length / this.#inputs
    this.#steps = spec.seeds.map(() => 0)
    this.#noise = new EvaluationNoise(this.#inputs)
    program.run('set-images', { images: feed([this.images, this.#inputs], images) })
    this.#begin()
  }

  setState(replica: number, state: TrainerState): void {
    const parts = partsOf(this.#spec).map((part) => [part, feed([state[part].length], state[part])])
    this.#program.run('set-state', { replica: scalar('int32', replica), ...Object.fromEntries(parts) })
    this.#steps[replica] = state.step
  }

  getState(replica: number): TrainerState {
    const { parameters, firstMoments, secondMoments, runningStatistics } = this.#program.run('get-state', {
      replica: scalar('int32', replica),
    })
    return {
      step: this.#steps[replica]!,
      parameters: parameters!,
      firstMoments: firstMoments!,
      secondMoments: secondMoments!,
      runningStatistics: runningStatistics ?? new Float32Array(0),
    }
  }

  /** The losses of each replica, or null once it was told to stop. */
  async trainEpoch(epoch: number, watch: StepWatch): Promise<readonly Losses[] | null> {
    this.#setOrder(epoch)
    this.#program.run('draw-noise', { place: stepFeed({ epoch, begin: 0, count: 0, adam: noUpdate }) })
    const sums = new ReplicaLosses(this.#spec.seeds.length)
    for (let begin = 0; begin < this.images; begin += this.#spec.batchSize) {
      if (await watch(begin, () => sums.meanLoss())) return null
      const count = Math.min(this.#spec.batchSize, this.images - begin)
      this.#step('resident', epoch, begin, count, sums, {})
    }
    return sums.losses()
  }

  /** [replicas][count][inputs] each. */
  trainBatch(clean: Float32Array, noisy: Float32Array): readonly Losses[] {
    const replicas = this.#spec.seeds.length
    const count = clean.length / this.#inputs / replicas
    const shape = [replicas, count, this.#inputs]
    const sums = new ReplicaLosses(replicas)
    this.#step('given', 0, 0, count, sums, { clean: feed(shape, clean), noisy: feed(shape, noisy) })
    return sums.losses()
  }

  encode(replica: number, images: Images): Float32Array {
    return this.#infer('encode', replica, images, latentDimension(this.#spec))
  }

  reconstruct(replica: number, images: Images): Float32Array {
    return this.#infer('reconstruct', replica, images, this.#inputs)
  }

  meanSquaredError(replica: number, images: Images, noise: NoiseField | null): number {
    const errors = this.#infer('error', replica, images, 1, (first, count) => ({
      noise: noise === null ? feed([1, 1], new Float32Array(1)) : this.#noise.of(noise, first, count),
    }))
    return errors.reduce((sum, error) => sum + error, 0) / images.length
  }

  dispose(): void {
    this.#program.dispose()
  }

  /** From the seeds' initial states. */
  #begin(): void {
    const { seeds } = this.#spec
    const states = seeds.map((seed) => initialState(this.#spec, seed))
    const feeds = drawnParts(this.#spec).map((part) => {
      const size = states[0]![part].length
      const values = new Float32Array(seeds.length * size)
      for (const [replica, state] of states.entries()) values.set(state[part], replica * size)
      return [part, feed([seeds.length, size], values)]
    })
    this.#program.run('begin', Object.fromEntries(feeds))
  }

  #setOrder(epoch: number): void {
    const { seeds } = this.#spec
    const words = new Int32Array(2 * seeds.length * this.images)
    for (const [replica, seed] of seeds.entries()) {
      const order = epochOrder(seed, epoch, this.images)
      const first = 2 * replica * this.images
      for (let i = 0; i < order.length; i++) words[first + 2 * i] = order[i]!
    }
    this.#program.run('set-order', { order: feed([seeds.length, this.images], words) })
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
    const penalised = eigenLosses.length > 0 && count > latentDimension(this.#spec)
    const place = stepFeed({ epoch, begin, count, adam: adamStep(adam, this.#nextStep()) })
    const { losses } = this.#program.run(stepName(source, penalised), { place, ...feeds })
    sums.add(losses!, count, penalised)
  }

  /** All replicas take a step at once, so they must have taken as many before. */
  #nextStep(): number {
    const [first] = this.#steps
    if (this.#steps.some((step) => step !== first)) throw new Error('replicas are at different steps')
    for (const replica of this.#steps.keys()) this.#steps[replica]!++
    return first! + 1
  }

  #infer(
    what: 'encode' | 'reconstruct' | 'error',
    replica: number,
    images: Images,
    width: number,
    more: (first: number, count: number) => Feeds = () => ({}),
  ): Float32Array {
    const total = images.length / this.#inputs
    const results = new Float32Array(total * width)
    const type = images instanceof Uint8Array ? 'uint8' : 'float'
    for (let first = 0; first < total; first += imagesAtOnce) {
      const count = Math.min(imagesAtOnce, total - first)
      const some = images.subarray(first * this.#inputs, (first + count) * this.#inputs)
      const feeds = { images: feed([count, this.#inputs], some), replica: scalar('int32', replica) }
      const { result } = this.#program.run(inferenceName(what, type), { ...feeds, ...more(first, count) })
      results.set(result!, first * width)
    }
    return results
  }
}
