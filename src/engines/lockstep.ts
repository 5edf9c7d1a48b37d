import type {
  Engine,
  EpochProgress,
  Losses,
  Replica,
  ReplicaTrainer,
  Trainer,
  TrainerSpec,
} from './engine.js'

/** One of several that train side by side. */
export interface Member {
  /** For one trainer. */
  readonly engine: Engine
  /** To be called when its run has ended, however: the others wait for it no longer. */
  leave(): Promise<void>
}

interface Seat {
  readonly spec: TrainerSpec
  readonly images: Uint8Array
  readonly take: (replica: Replica, place: number) => void
  readonly refuse: (error: unknown) => void
}

interface Turn {
  readonly place: number
  readonly epoch: number
  readonly onProgress: (progress: EpochProgress) => void
  readonly signal: AbortSignal
  readonly end: (losses: Losses) => void
  readonly fail: (error: unknown) => void
}

/**
 * Lets runs that know nothing of each other train as the replicas of one trainer: each has an engine of its own, the
 * trainer is made when all have asked for theirs, and an epoch is trained when all want it. The runs' specs differ in
 * their seeds alone, and all begin with the same epoch.
 */
export class Lockstep {
  readonly #engine: Engine
  readonly #variant: string
  #present: number
  #trainer: ReplicaTrainer | undefined
  readonly #seats: Seat[] = []
  readonly #turns: Turn[] = []

  constructor(engine: Engine, members: number) {
    this.#engine = engine
    // TensorFlow multiplies stacks of matrices by other code than single ones: the last digits are the group's.
    this.#variant = `${engine.variant}, ${members} side by side`
    this.#present = members
  }

  member(): Member {
    return {
      engine: {
        ...this.#engine,
        variant: this.#variant,
        createTrainer: (spec, images) =>
          new Promise<Trainer>((resolve, refuse) => {
            const take = (replica: Replica, place: number) => resolve(this.#trainerOf(replica, place))
            this.#seats.push({ spec, images, take, refuse })
            this.#goOn()
          }),
      },
      leave: async () => {
        this.#present--
        if (this.#present === 0) await this.#trainer?.dispose()
        else this.#goOn()
      },
    }
  }

  #trainerOf(replica: Replica, place: number): Trainer {
    return {
      ...replica,
      trainEpoch: (epoch, onProgress, signal) =>
        new Promise<Losses>((end, fail) => {
          this.#turns.push({ place, epoch, onProgress, signal, end, fail })
          this.#goOn()
        }),
      trainBatch: () => Promise.reject(new Error('replicas train whole epochs')),
      dispose: async () => undefined,
    }
  }

  #goOn(): void {
    if (this.#seats.length === this.#present) void this.#seat(this.#seats.splice(0))
    else if (this.#turns.length === this.#present) void this.#train(this.#turns.splice(0))
  }

  async #seat(seats: readonly Seat[]): Promise<void> {
    try {
      const specs = seats.map(({ spec }) => spec)
      this.#trainer = await this.#engine.createReplicas!(specs, seats[0]!.images)
      for (const [place, { take }] of seats.entries()) take(this.#trainer.replicas[place]!, place)
    } catch (error) {
      for (const { refuse } of seats) refuse(error)
    }
  }

  /** A signal means all of them: it comes to their process. */
  async #train(turns: readonly Turn[]): Promise<void> {
    const tell = (progress: EpochProgress) => {
      for (const { onProgress } of turns) onProgress(progress)
    }
    try {
      const [{ epoch, signal }] = turns as readonly [Turn]
      const losses = await this.#trainer!.trainEpoch(epoch, tell, signal)
      for (const { place, end } of turns) end(losses[place]!)
    } catch (error) {
      for (const { signal, fail } of turns) fail(signal.aborted ? signal.reason : error)
    }
  }
}
