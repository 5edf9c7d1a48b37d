import type { Engine, EpochProgress, Losses, Replica, ReplicaTrainer, Trainer } from './engine.js'

/** One of several runs that train as replicas of one TensorFlow model. CUDA's runs share launches: see cuda/queue.ts. */
export interface Member {
  /** An engine for one trainer. */
  readonly engine: Engine
  /** Must be called when the run has ended, however it ended, so that the others no longer wait for it. */
  leave(): Promise<void>
}

/** A member's call that waits for the other members. */
interface Waiting<Call, Result> {
  readonly index: number
  readonly call: Call
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

type WaitingTrainer = Waiting<Parameters<Engine['createTrainer']>, Replica>
type WaitingEpoch = Waiting<Parameters<Trainer['trainEpoch']>, Losses>

/**
 * Trains independent runs as the replicas of one trainer. Each run has an engine of its own; the trainer is created
 * when all members have asked for theirs, and an epoch is trained when all have asked for it. The runs' specs differ
 * in their seeds only, and all start at the same epoch.
 *
 * How a library rounds the products of stacked matrices depends on the height of the stack and on the position in it.
 * So the number of replicas stays the same when some runs are complete: unclaimed replicas fill their places.
 */
export class Lockstep {
  readonly #engine: Engine
  readonly #replicas: number
  #present: number
  #trainer: ReplicaTrainer | undefined
  #unclaimed: Replica[] = []
  readonly #waitingTrainers: WaitingTrainer[] = []
  readonly #waitingEpochs: WaitingEpoch[] = []

  constructor(engine: Engine, replicas: number, members: number) {
    this.#engine = { ...engine, variant: `${engine.variant}, ${replicas} side by side` }
    this.#replicas = replicas
    this.#present = members
  }

  /** Returns the member that trains as the replica with this index. */
  member(index: number): Member {
    return {
      engine: {
        ...this.#engine,
        createTrainer: async (...call) =>
          this.#trainerOf(await this.#wait(this.#waitingTrainers, index, call), index),
      },
      leave: async () => {
        this.#present--
        if (this.#present === 0) await this.#trainer?.dispose()
        else this.#resume()
      },
    }
  }

  #trainerOf(replica: Replica, index: number): Trainer {
    return {
      ...replica,
      trainEpoch: (...call) => this.#wait(this.#waitingEpochs, index, call),
      trainBatch: () => Promise.reject(new Error('replicas train whole epochs')),
      dispose: async () => undefined,
    }
  }

  #wait<Call, Result>(waiting: Waiting<Call, Result>[], index: number, call: Call): Promise<Result> {
    return new Promise((resolve, reject) => {
      waiting.push({ index, call, resolve, reject })
      this.#resume()
    })
  }

  /** Continues if all members wait. */
  #resume(): void {
    if (this.#waitingTrainers.length === this.#present) void this.#create(this.#waitingTrainers.splice(0))
    else if (this.#waitingEpochs.length === this.#present) void this.#train(this.#waitingEpochs.splice(0))
  }

  async #create(waiting: readonly WaitingTrainer[]): Promise<void> {
    const [spec, images] = waiting[0]!.call
    const claimed = new Map(waiting.map((each) => [each.index, each]))
    const indices = Array.from({ length: this.#replicas }, (_, index) => index)
    try {
      const specs = indices.map((index) => claimed.get(index)?.call[0] ?? spec)
      this.#trainer = await this.#engine.createReplicas!(specs, images)
      const { replicas } = this.#trainer
      this.#unclaimed = replicas.filter((_, index) => !claimed.has(index))
      for (const { index, resolve } of waiting) resolve(replicas[index]!)
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  /** The first member's signal stops all, because signals go to the whole process. */
  async #train(waiting: readonly WaitingEpoch[]): Promise<void> {
    const [epoch, , signal] = waiting[0]!.call
    const report = (progress: EpochProgress) => {
      for (const { call } of waiting) call[1](progress)
    }
    try {
      await this.#adopt(waiting[0]!.index)
      const losses = await this.#trainer!.trainEpoch(epoch, report, signal)
      for (const { index, resolve } of waiting) resolve(losses[index]!)
    } catch (error) {
      for (const { call, reject } of waiting) reject(call[2].aborted ? call[2].reason : error)
    }
  }

  /**
   * Gives the unclaimed replicas the state of `source`, once: all replicas must have taken the same number of steps.
   */
  async #adopt(source: number): Promise<void> {
    const unclaimed = this.#unclaimed.splice(0)
    if (unclaimed.length === 0) return
    const state = await this.#trainer!.replicas[source]!.exportState()
    for (const replica of unclaimed) await replica.importState(state)
  }
}
