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
  readonly place: number
  readonly spec: TrainerSpec
  readonly images: Uint8Array
  readonly take: (replica: Replica) => void
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
 *
 * How a library rounds the products of stacked matrices depends on the stack's height and on the place in it. So the
 * height is the same whether all runs are there or some are done: replicas that belong to nobody fill it.
 */
export class Lockstep {
  readonly #engine: Engine
  readonly #replicas: number
  #present: number
  #trainer: ReplicaTrainer | undefined
  #nobodys: Replica[] = []
  readonly #seats: Seat[] = []
  readonly #turns: Turn[] = []

  constructor(engine: Engine, replicas: number, members: number) {
    this.#engine = { ...engine, variant: `${engine.variant}, ${replicas} side by side` }
    this.#replicas = replicas
    this.#present = members
  }

  member(place: number): Member {
    return {
      engine: {
        ...this.#engine,
        createTrainer: (spec, images) =>
          new Promise<Trainer>((resolve, refuse) => {
            const take = (replica: Replica) => resolve(this.#trainerOf(replica, place))
            this.#seats.push({ place, spec, images, take, refuse })
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
    const [{ spec, images }] = seats as readonly [Seat]
    const taken = new Map(seats.map((seat) => [seat.place, seat]))
    const places = Array.from({ length: this.#replicas }, (_, place) => place)
    try {
      const specs = places.map((place) => taken.get(place)?.spec ?? spec)
      this.#trainer = await this.#engine.createReplicas!(specs, images)
      const { replicas } = this.#trainer
      this.#nobodys = replicas.filter((_, place) => !taken.has(place))
      for (const { place, take } of seats) take(replicas[place]!)
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
      const [{ epoch, signal, place: somebody }] = turns as readonly [Turn]
      await this.#takeAlong(somebody)
      const losses = await this.#trainer!.trainEpoch(epoch, tell, signal)
      for (const { place, end } of turns) end(losses[place]!)
    } catch (error) {
      for (const { signal, fail } of turns) fail(signal.aborted ? signal.reason : error)
    }
  }

  /** Replicas must have taken as many steps as each other: nobody's get somebody's state, once. */
  async #takeAlong(somebody: number): Promise<void> {
    const nobodys = this.#nobodys.splice(0)
    if (nobodys.length === 0) return
    const state = await this.#trainer!.replicas[somebody]!.exportState()
    for (const replica of nobodys) await replica.importState(state)
  }
}
