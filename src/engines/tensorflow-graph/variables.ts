import { inputDimension } from '../../model/architecture.js'
import type { Tensor, TensorKind } from '../../model/layout.js'
import { averagedPart, type StatePart, statePartsOf } from '../../model/state.js'
import type { TrainerSpec } from '../engine.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'

/** The spec of a trainer: several seeds of one spec train side by side as replicas. */
export interface NetworkSpec extends Omit<TrainerSpec, 'seed'> {
  readonly seeds: readonly number[]
}

/** A tensor that training changes. */
export interface StateTensor extends Tensor {
  readonly part: StatePart
}

/** The values of a layer's tensors by kind, each [replicas] × shapeOf. */
export type LayerValues = Readonly<Partial<Record<TensorKind, Value>>>

/**
 * A network in a graph, with the variables of a trainer, which stay on the device between calls. The first axis of each tensor
 * is the replica.
 */
export class Network {
  readonly ops: Ops
  readonly spec: NetworkSpec
  readonly #parts: ReturnType<typeof statePartsOf>

  constructor(ops: Ops, spec: NetworkSpec) {
    this.ops = ops
    this.spec = spec
    this.#parts = statePartsOf(spec)
  }

  tensorsOf(part: StatePart): readonly StateTensor[] {
    const { tensors } = this.#parts.find((each) => each.part === part)!
    return tensors.map((tensor) => ({ ...tensor, part }))
  }

  /** Returns the tensor with the averages of a parameter or a running statistic, null if there are none. */
  averaged(tensor: StateTensor): StateTensor | null {
    const part = averagedPart(tensor.part)
    return this.#parts.some((each) => each.part === part) ? { ...tensor, part } : null
  }

  /** Returns, for each layer, what `read` returns for each of its parameters and running statistics. */
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
    return layer.part === 'encoder' ? layer.index : this.spec.widths.length - 1 + layer.index
  }

  handle(tensor: StateTensor): Value {
    const shape = [this.spec.seeds.length, ...shapeOf(tensor)]
    return this.ops.variable(`${tensor.part}/${tensor.name}`, 'float', shape)
  }

  /** The data set, [images][inputs]. Floats, because TensorFlow cannot gather bytes on a graphics card. */
  images(): Value {
    return this.ops.variable('images', 'float', [-1, inputDimension(this.spec)])
  }

  /** The noise of the next batch, [replicas][batch][inputs]. */
  noise(): Value {
    const { seeds, batchSize } = this.spec
    return this.ops.variable('noise', 'float', [seeds.length, batchSize, inputDimension(this.spec)])
  }

  /** The order of an epoch's images, [replicas][images]. TensorFlow keeps 32-bit integers in the host's memory only. */
  order(): Value {
    return this.ops.variable('order', 'int64', [this.spec.seeds.length, -1])
  }
}

/** The shape in one replica: [out][in] for a weight, [1][out] for the others, which broadcast over [batch][out]. */
export function shapeOf({ shape }: Tensor): readonly number[] {
  return shape.length === 1 ? [1, ...shape] : shape
}

/** The parts of a state that are not empty. */
export function partsOf(spec: NetworkSpec): readonly StatePart[] {
  return statePartsOf(spec).flatMap(({ part, length }) => (length > 0 ? [part] : []))
}
