import { type Layout, layoutOf, type Tensor, type TensorKind } from '../../model/layout.js'
import type { TrainerSpec } from '../engine.js'
import type { Builder, Value } from './builder.js'
import { Ops } from './ops.js'

/** What a trainer is made for: several seeds of one spec are trained side by side as replicas. */
export interface NetworkSpec extends Omit<TrainerSpec, 'seed'> {
  readonly seeds: readonly number[]
}

/** A tensor that training changes, and the flat array of TrainerState in which it lies. */
export interface StateTensor extends Tensor {
  readonly part: StatePart
}

export const stateParts = ['parameters', 'firstMoments', 'secondMoments', 'runningStatistics'] as const
export type StatePart = (typeof stateParts)[number]

/** The values of a layer's tensors by kind, [replicas] × shapeOf. */
export type LayerValues = Readonly<Partial<Record<TensorKind, Value>>>

/** The network's variables. Each has the replicas as its first axis. */
export class Variables {
  readonly layout: Layout
  readonly #ops: Ops
  readonly #replicas: number
  readonly #depth: number

  constructor(ops: Ops, spec: NetworkSpec) {
    this.#ops = ops
    this.#replicas = spec.seeds.length
    this.#depth = spec.widths.length - 1
    this.layout = layoutOf(spec)
  }

  tensorsOf(part: StatePart): readonly StateTensor[] {
    const tensors = part === 'runningStatistics' ? this.layout.runningStatistics : this.layout.parameters
    return tensors.map((tensor) => ({ ...tensor, part }))
  }

  /** What `read` makes of the tensors of each layer that inference needs, by their kind. */
  layers(read: (tensor: StateTensor) => Value): readonly LayerValues[] {
    const layers: Partial<Record<TensorKind, Value>>[] = []
    for (const tensor of [...this.tensorsOf('parameters'), ...this.tensorsOf('runningStatistics')]) {
      const position = this.positionOf(tensor)
      layers[position] = { ...layers[position], [tensor.kind]: read(tensor) }
    }
    return layers
  }

  /** The tensor's layer, counted through the network. */
  positionOf({ layer }: Tensor): number {
    return layer.part === 'encoder' ? layer.index : this.#depth + layer.index
  }

  handle(tensor: StateTensor): Value {
    const shape = [this.#replicas, ...shapeOf(tensor)]
    return this.#ops.builder.variable(`${tensor.part}/${tensor.name}`, 'float', shape)
  }

  /** [images][inputs], the data set. As floats: TensorFlow gathers no bytes on a card. */
  images(inputs: number): Value {
    return this.#ops.builder.variable('images', 'float', [-1, inputs])
  }

  /** [replicas][batch][inputs], what is to be added to the next batch. */
  noise(batchSize: number, inputs: number): Value {
    return this.#ops.builder.variable('noise', 'float', [this.#replicas, batchSize, inputs])
  }

  /** [replicas][images], the order in which an epoch sees them. A card keeps no 32-bit variables in its memory. */
  order(): Value {
    return this.#ops.builder.variable('order', 'int64', [this.#replicas, -1])
  }
}

/** Of one replica: a weight is [out][in]; what belongs to a unit is [1][out], to be added to [batch][out]. */
export function shapeOf({ shape }: Tensor): readonly number[] {
  return shape.length === 1 ? [1, ...shape] : shape
}

/** What a procedure is written with. */
export function context(builder: Builder, spec: NetworkSpec) {
  const ops = new Ops(builder)
  return { ops, variables: new Variables(ops, spec) }
}
