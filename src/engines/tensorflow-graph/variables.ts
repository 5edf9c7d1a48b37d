import { hasBatchNorm, inputDimension } from '../../model/architecture.js'
import { type Layout, layoutOf, type Tensor, type TensorKind } from '../../model/layout.js'
import type { TrainerState } from '../../model/state.js'
import type { TrainerSpec } from '../engine.js'
import type { Graph, Procedure, Value, Values } from './graph.js'
import { Ops } from './ops.js'

/** The spec of a trainer: several seeds of one spec train side by side as replicas. */
export interface NetworkSpec extends Omit<TrainerSpec, 'seed'> {
  readonly seeds: readonly number[]
}

/** A flat array of TrainerState. */
export type StatePart = Exclude<keyof TrainerState, 'step'>

/** A tensor that training changes. */
export interface StateTensor extends Tensor {
  readonly part: StatePart
}

/** The values of a layer's tensors by kind, each [replicas] × shapeOf. */
export type LayerValues = Readonly<Partial<Record<TensorKind, Value>>>

/** The variables of a trainer, which stay on the device between calls. The first axis of each tensor is the replica. */
export class Variables {
  readonly layout: Layout
  readonly #graph: Graph
  readonly #replicas: number
  readonly #depth: number

  constructor(graph: Graph, spec: NetworkSpec) {
    this.#graph = graph
    this.#replicas = spec.seeds.length
    this.#depth = spec.widths.length - 1
    this.layout = layoutOf(spec)
  }

  tensorsOf(part: StatePart): readonly StateTensor[] {
    const statistics = part === 'runningStatistics' || part === 'averagedStatistics'
    const tensors = statistics ? this.layout.runningStatistics : this.layout.parameters
    return tensors.map((tensor) => ({ ...tensor, part }))
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
    return layer.part === 'encoder' ? layer.index : this.#depth + layer.index
  }

  handle(tensor: StateTensor): Value {
    const shape = [this.#replicas, ...shapeOf(tensor)]
    return this.#graph.variable(`${tensor.part}/${tensor.name}`, 'float', shape)
  }

  /** The data set, [images][inputs]. Floats, because TensorFlow cannot gather bytes on a graphics card. */
  images(inputs: number): Value {
    return this.#graph.variable('images', 'float', [-1, inputs])
  }

  /** The noise of the next batch, [replicas][batch][inputs]. */
  noise(batchSize: number, inputs: number): Value {
    return this.#graph.variable('noise', 'float', [this.#replicas, batchSize, inputs])
  }

  /** The order of an epoch's images, [replicas][images]. TensorFlow keeps 32-bit integers in the host's memory only. */
  order(): Value {
    return this.#graph.variable('order', 'int64', [this.#replicas, -1])
  }
}

/** The shape in one replica: [out][in] for a weight, [1][out] for the others, which broadcast over [batch][out]. */
export function shapeOf({ shape }: Tensor): readonly number[] {
  return shape.length === 1 ? [1, ...shape] : shape
}

/** Returns what a procedure is written with. */
export function context(graph: Graph, spec: NetworkSpec) {
  return { ops: new Ops(graph), variables: new Variables(graph, spec) }
}

/** Returns bytes as floats from 0 to 1; floats unchanged. */
export function toFloats(ops: Ops, images: Value): Value {
  if (images.type === 'float') return images
  return ops.divide(ops.cast(images, 'float'), ops.float(255))
}

/** The parts of a state that are not empty. */
export function partsOf(spec: NetworkSpec): readonly StatePart[] {
  const statistics = hasBatchNorm(spec)
  const averaging = spec.averaging !== null
  return [
    'parameters',
    'firstMoments',
    'secondMoments',
    ...(statistics ? (['runningStatistics'] as const) : []),
    ...(averaging ? (['averagedParameters'] as const) : []),
    ...(averaging && statistics ? (['averagedStatistics'] as const) : []),
  ]
}

/** Returns the part with the averages of a part. */
export function averagedPart(part: StatePart): StatePart {
  return part === 'runningStatistics' ? 'averagedStatistics' : 'averagedParameters'
}

/** The procedures that set and read the variables: the data set, an epoch's order, and each replica's state. */
export function stateProcedures(spec: NetworkSpec): readonly Procedure[] {
  const floats = (parts: readonly StatePart[]) =>
    Object.fromEntries(parts.map((part) => [part, 'float' as const]))
  return [
    {
      name: 'set-states',
      inputs: floats(partsOf(spec)),
      build: (graph, inputs) => setStates(graph, spec, inputs),
    },
    {
      name: 'set-images',
      inputs: { images: 'uint8' },
      build: (graph, inputs) => setImages(graph, spec, inputs),
    },
    {
      name: 'set-order',
      inputs: { order: 'int64' },
      build: (graph, inputs) => setOrder(graph, spec, inputs),
    },
    {
      name: 'set-state',
      inputs: { replica: 'int32', ...floats(partsOf(spec)) },
      build: (graph, inputs) => setState(graph, spec, inputs),
    },
    {
      name: 'get-state',
      inputs: { replica: 'int32' },
      build: (graph, inputs) => getState(graph, spec, inputs),
    },
  ]
}

/** Sets the state of all replicas at once: each part is [replicas][its size]. */
function setStates(graph: Graph, spec: NetworkSpec, inputs: Values): Values {
  const { ops, variables } = context(graph, spec)
  const replicas = spec.seeds.length
  for (const part of partsOf(spec)) {
    for (const tensor of variables.tensorsOf(part)) {
      const [start, size] = [ops.integers([0, tensor.offset]), ops.integers([replicas, tensor.size])]
      const values = ops.reshape(ops.slice(inputs[part]!, start, size), [replicas, ...shapeOf(tensor)])
      ops.assign(variables.handle(tensor), ops.copy(values))
    }
  }
  return { done: ops.float(1) }
}

function setImages(graph: Graph, spec: NetworkSpec, { images }: Values): Values {
  const { ops, variables } = context(graph, spec)
  ops.assign(variables.images(inputDimension(spec)), toFloats(ops, images!))
  return { done: ops.float(1) }
}

/** Copies the order: an input lies in JavaScript's memory, which is reused after the call. */
function setOrder(graph: Graph, spec: NetworkSpec, { order }: Values): Values {
  const { ops, variables } = context(graph, spec)
  ops.assign(variables.order(), ops.copy(order!))
  return { done: ops.float(1) }
}

/** Sets the state of one replica; the rows of the others keep their values. */
function setState(graph: Graph, spec: NetworkSpec, inputs: Values): Values {
  const { ops, variables } = context(graph, spec)
  const chosen = isReplica(ops, spec, inputs.replica!)
  for (const part of partsOf(spec)) {
    for (const tensor of variables.tensorsOf(part)) {
      const values = ops.slice(inputs[part]!, ops.integers([tensor.offset]), ops.integers([tensor.size]))
      const handle = variables.handle(tensor)
      const row = ops.reshape(values, [1, ...shapeOf(tensor)])
      ops.assign(handle, ops.select(chosen, row, ops.read(handle, 'float')))
    }
  }
  return { done: ops.float(1) }
}

/** Returns [replicas][1][1], true for the given replica. */
function isReplica(ops: Ops, { seeds }: NetworkSpec, replica: Value): Value {
  const indices = ops.graph.constant('float', [seeds.length, 1, 1], [...seeds.keys()])
  return ops.equal(indices, ops.cast(replica, 'float'))
}

/** Returns each part of one replica's state as a flat array. */
function getState(graph: Graph, spec: NetworkSpec, { replica }: Values): Values {
  const { ops, variables } = context(graph, spec)
  const flat = (part: StatePart): Value => {
    const tensors = variables.tensorsOf(part).map((tensor) => {
      const all = ops.read(variables.handle(tensor), 'float')
      return ops.reshape(ops.gather(all, replica!, 0), [-1])
    })
    return ops.concat(tensors, 0)
  }
  return Object.fromEntries(partsOf(spec).map((part) => [part, flat(part)]))
}
