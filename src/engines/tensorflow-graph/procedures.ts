import { layersOf } from '../../model/architecture.js'
import type { StatePart } from '../../model/state.js'
import type { DataType, Procedure, Value, Values } from './graph.js'
import { inference } from './layers.js'
import type { Ops } from './ops.js'
import { type ActiveTerms, drawNoise, readStep, residentBatch, trainingStep } from './step.js'
import { type LayerValues, Network, type NetworkSpec, partsOf, shapeOf } from './variables.js'

/** The images of a step: a batch of the data set on the device, or images given with the call. */
export type BatchSource = 'resident' | 'given'
/** The types of images that the engine interface takes. */
type ImageType = 'uint8' | 'float'

/** A step with the given eigen losses. */
export function stepName(source: BatchSource, active: ActiveTerms): string {
  return ['step', source, ...active].join('-')
}

/** The results of an inference. */
export type InferenceKind = 'encode' | 'linear-outputs' | 'reconstruct' | 'error'

export function inferenceName(result: InferenceKind, type: ImageType): string {
  return `${result}-${type}`
}

/**
 * Everything that a trainer calls: the contents of one graph.
 * @param termSets the sets of eigen losses for which it has steps
 */
export function procedures(
  ops: Ops,
  spec: NetworkSpec,
  termSets: readonly ActiveTerms[],
): readonly Procedure[] {
  const network = new Network(ops, spec)
  return [
    ...dataProcedures(network),
    ...stateProcedures(network),
    ...termSets.flatMap((active) => stepProcedures(network, active)),
    ...inferenceProcedures(network, 'uint8'),
    ...inferenceProcedures(network, 'float'),
  ]
}

/** The procedures that set the data set and an epoch's order, and draw the noise of an epoch's first step. */
function dataProcedures(network: Network): readonly Procedure[] {
  const { ops } = network
  const procedure = (
    name: string,
    input: string,
    type: DataType,
    set: (value: Value) => void,
  ): Procedure => ({
    name,
    inputs: { [input]: type },
    build: (inputs) => {
      set(inputs[input]!)
      return { done: ops.float(1) }
    },
  })
  return [
    procedure('set-images', 'images', 'uint8', (images) => {
      ops.assign(network.images(), toFloats(ops, images))
    }),
    // An input lies in JavaScript's memory, which is used again after the call.
    procedure('set-order', 'order', 'int64', (order) => {
      ops.assign(network.order(), ops.copy(order))
    }),
    procedure('draw-noise', 'step', 'int32', (step) => drawNoise(network, readStep(network, step))),
  ]
}

/** The procedures that set the states of all replicas, [replicas][size of a part] each, and read that of one. */
function stateProcedures(network: Network): readonly Procedure[] {
  const { ops, spec } = network
  const replicas = spec.seeds.length
  const flat = (part: StatePart, replica: Value): Value => {
    const tensors = network.tensorsOf(part).map((tensor) => {
      const all = ops.read(network.handle(tensor), 'float')
      return ops.reshape(ops.gather(all, replica, 0), [-1])
    })
    return ops.concat(tensors, 0)
  }
  return [
    {
      name: 'set-states',
      inputs: Object.fromEntries(partsOf(spec).map((part) => [part, 'float'])),
      build: (inputs) => {
        for (const tensor of partsOf(spec).flatMap((part) => network.tensorsOf(part))) {
          const [start, size] = [ops.integers([0, tensor.offset]), ops.integers([replicas, tensor.size])]
          const values = ops.slice(inputs[tensor.part]!, start, size)
          ops.assign(network.handle(tensor), ops.copy(ops.reshape(values, [replicas, ...shapeOf(tensor)])))
        }
        return { done: ops.float(1) }
      },
    },
    {
      name: 'get-state',
      inputs: { replica: 'int32' },
      build: ({ replica }) => Object.fromEntries(partsOf(spec).map((part) => [part, flat(part, replica!)])),
    },
  ]
}

/** A step on a batch of the data set, and one on a given batch. */
function stepProcedures(network: Network, active: ActiveTerms): readonly Procedure[] {
  return [
    {
      name: stepName('resident', active),
      inputs: { step: 'int32' },
      build: (inputs) => {
        const step = readStep(network, inputs.step!)
        const batch = residentBatch(network, step)
        return { losses: trainingStep(network, batch, step, active) }
      },
    },
    {
      name: stepName('given', active),
      inputs: { step: 'int32', clean: 'float', noisy: 'float' },
      build: (inputs) => {
        const step = readStep(network, inputs.step!)
        const batch = { clean: inputs.clean!, noisy: inputs.noisy! }
        return { losses: trainingStep(network, batch, step, active) }
      },
    },
  ]
}

/**
 * Images [count][inputs] through one replica: its embedding, the hidden layers' linear outputs, its output, or the squared
 * error of each image. Only the layers that a result needs are computed.
 */
function inferenceProcedures(network: Network, type: ImageType): readonly Procedure[] {
  const { ops, spec } = network
  const layers = layersOf(spec)
  const run = ({ images, replica, noise }: Values) => {
    const clean = toFloats(ops, images!)
    const input = noise === undefined ? clean : ops.add(clean, noise)
    const passes = inference(ops, layers, replicaLayers(network, replica!), input)
    return { clean, passes }
  }
  const procedure = (kind: InferenceKind, build: Procedure['build'], more: Procedure['inputs'] = {}) => ({
    name: inferenceName(kind, type),
    inputs: { images: type, replica: 'int32' as const, ...more },
    build,
  })
  const encode = (values: Values) => ({ result: run(values).passes[layers.length / 2 - 1]!.output })
  const linearOutputs = (values: Values) => {
    const { passes } = run(values)
    return Object.fromEntries(hiddenPositions(spec).map((at) => [`${at}`, passes[at]!.linear]))
  }
  const reconstruct = (values: Values) => ({ result: run(values).passes.at(-1)!.output })
  const error = (values: Values) => {
    const { clean, passes } = run(values)
    return { result: ops.sum(ops.square(ops.subtract(passes.at(-1)!.output, clean)), [2]) }
  }
  return [
    procedure('encode', encode),
    procedure('linear-outputs', linearOutputs),
    procedure('reconstruct', reconstruct),
    procedure('error', error, { noise: 'float' }),
  ]
}

/** Returns bytes as floats from 0 to 1; floats unchanged. */
function toFloats(ops: Ops, images: Value): Value {
  return images.type === 'float' ? images : ops.divide(ops.cast(images, 'float'), ops.float(255))
}

/** Returns the positions of the layers but the latent one and the output. */
export function hiddenPositions({ widths }: NetworkSpec): readonly number[] {
  const depth = widths.length - 1
  return [...Array(2 * depth - 1).keys()].filter((position) => position !== depth - 1)
}

/** Returns the layers of one replica's network, the averaged one if there is one. */
function replicaLayers(network: Network, replica: Value): readonly LayerValues[] {
  const { ops } = network
  return network.layers((tensor) => {
    const all = ops.read(network.handle(network.averaged(tensor) ?? tensor), 'float')
    return ops.reshape(ops.gather(all, replica, 0), [1, ...shapeOf(tensor)])
  })
}
