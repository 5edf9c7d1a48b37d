import type {
  Engine,
  EpochProgress,
  Losses,
  Replica,
  ReplicaTrainer,
  Trainer,
  TrainerSpec,
} from './engine.js'

/** One of several runs that train side by side. */
export interface Member {
  /** An engine for one trainer. */
  readonly engine: Engine
  /** Must be called when the run has ended, however it ended, so that the others no longer wait for it. */
  leave(): Promise<void>
}

/** A member's call of createTrainer that waits for the other members. */
interface WaitingTrainer {
  readonly index: number
  readonly spec: TrainerSpec
  readonly images: Uint8Array
  readonly resolve: (replica: Replica) => void
  readonly reject: (error: unknown) => void
}

/** A member's call of trainEpoch that waits for the other members. */
interface WaitingEpoch {
  readonly index: number
  readonly epoch: number
  readonly onProgress: (progress: EpochProgress) => void
  readonly signal: AbortSignal
  readonly resolve: (losses: Losses) => void
  readonly reject: (error: unknown) => void
}

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
        createTrainer: (spec, images) =>
          new Promise<Trainer>((resolve, reject) => {
            const resolveTrainer = (replica: Replica) => resolve(this.#trainerOf(replica, index))
            this.#waitingTrainers.push({ index, spec, images, resolve: resolveTrainer, reject })
            this.#resume()
          }),
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
      trainEpoch: (epoch, onProgress, signal) =>
        new Promise<Losses>((resolve, reject) => {
          this.#waitingEpochs.push({ index, epoch, onProgress, signal, resolve, reject })
          this.#resume()
        }),
      trainBatch: () => Promise.reject(new Error('replicas train whole epochs')),
      dispose: async () => undefined,
    }
  }

  /** Continues if all members wait. */
  #resume(): void {
    if (this.#waitingTrainers.length === this.#present) void this.#create(this.#waitingTrainers.splice(0))
    else if (this.#waitingEpochs.length === this.#present) void this.#train(this.#waitingEpochs.splice(0))
  }

  async #create(waiting: readonly WaitingTrainer[]): Promise<void> {
    const [{ spec, images }] = waiting as readonly [WaitingTrainer]
    const claimed = new Map(waiting.map((each) => [each.index, each]))
    const indices = Array.from({ length: this.#replicas }, (_, index) => index)
    try {
      const specs = indices.map((index) => claimed.get(index)?.spec ?? spec)
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
    const report = (progress: EpochProgress) => {
      for (const { onProgress } of waiting) onProgress(progress)
    }
    try {
      const [{ epoch, signal, index: source }] = waiting as readonly [WaitingEpoch]
      await this.#adopt(source)
      const losses = await this.#trainer!.trainEpoch(epoch, report, signal)
      for (const { index, resolve } of waiting) resolve(losses[index]!)
    } catch (error) {
      for (const { signal, reject } of waiting) reject(signal.aborted ? signal.reason : error)
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
