import { inputDimension } from '../../model/architecture.js'
import { pixels } from './batch.js'
import type { Builder, Procedure, Value, Values } from './builder.js'
import type { Ops } from './ops.js'
import { context, type NetworkSpec, type StatePart, shapeOf, stateParts } from './variables.js'

/** What sets the variables and reads them: the data set, an epoch's order, and each replica's state as flat arrays. */
export function stateProcedures(spec: NetworkSpec): readonly Procedure[] {
  return [
    {
      name: 'begin',
      inputs: Object.fromEntries(drawnParts(spec).map((part) => [part, 'float' as const])),
      build: (builder, inputs) => begin(builder, spec, inputs),
    },
    {
      name: 'set-images',
      inputs: { images: 'uint8' },
      build: (builder, inputs) => setImages(builder, spec, inputs),
    },
    {
      name: 'set-order',
      inputs: { order: 'int64' },
      build: (builder, inputs) => setOrder(builder, spec, inputs),
    },
    {
      name: 'set-state',
      inputs: {
        replica: 'int32',
        ...Object.fromEntries(partsOf(spec).map((part) => [part, 'float' as const])),
      },
      build: (builder, inputs) => setState(builder, spec, inputs),
    },
    {
      name: 'get-state',
      inputs: { replica: 'int32' },
      build: (builder, inputs) => getState(builder, spec, inputs),
    },
  ]
}

/** The arrays of a state that are not empty. */
export function partsOf({ batchNorm }: NetworkSpec): readonly StatePart[] {
  return stateParts.filter((part) => part !== 'runningStatistics' || batchNorm !== 'none')
}

/** Those of them that are not all zeros before training. */
export function drawnParts(spec: NetworkSpec): readonly StatePart[] {
  return partsOf(spec).filter((part) => part === 'parameters' || part === 'runningStatistics')
}

/** Sets the state of all replicas at once, [replicas][size of the part] each, and all moments to 0. */
function begin(builder: Builder, spec: NetworkSpec, inputs: Values): Values {
  const { ops, variables } = context(builder, spec)
  const replicas = spec.seeds.length
  for (const tensor of partsOf(spec).flatMap((part) => variables.tensorsOf(part))) {
    const shape = [replicas, ...shapeOf(tensor)]
    const drawn = inputs[tensor.part]
    const [from, size] = [
      [0, tensor.offset],
      [replicas, tensor.size],
    ].map((values) => ops.integers(values))
    const value = drawn ? ops.copy(ops.reshape(ops.slice(drawn, from!, size!), shape)) : ops.zeros(shape)
    ops.assign(variables.handle(tensor), value)
  }
  return { done: ops.float(1) }
}

function setImages(builder: Builder, spec: NetworkSpec, { images }: Values): Values {
  const { ops, variables } = context(builder, spec)
  ops.assign(variables.images(inputDimension(spec)), pixels(ops, images!))
  return { done: ops.float(1) }
}

// What is fed lies in JavaScript's memory: a variable must not go on using it.
function setOrder(builder: Builder, spec: NetworkSpec, { order }: Values): Values {
  const { ops, variables } = context(builder, spec)
  ops.assign(variables.order(), ops.copy(order!))
  return { done: ops.float(1) }
}

function setState(builder: Builder, spec: NetworkSpec, inputs: Values): Values {
  const { ops, variables } = context(builder, spec)
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

/** [replicas][1][1] */
function isReplica(ops: Ops, { seeds }: NetworkSpec, replica: Value): Value {
  const numbers = ops.builder.constant('float', [seeds.length, 1, 1], [...seeds.keys()])
  return ops.equal(numbers, ops.cast(replica, 'float'))
}

function getState(builder: Builder, spec: NetworkSpec, { replica }: Values): Values {
  const { ops, variables } = context(builder, spec)
  const flat = (part: StatePart): Value => {
    const tensors = variables.tensorsOf(part).map((tensor) => {
      const all = ops.read(variables.handle(tensor), 'float')
      return ops.reshape(ops.gather(all, replica!, 0), [-1])
    })
    return ops.concat(tensors, 0)
  }
  return Object.fromEntries(partsOf(spec).map((part) => [part, flat(part)]))
}
