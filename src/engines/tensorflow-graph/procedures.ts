import { layersOf } from '../../model/architecture.js'
import { drawNoise, residentBatch, stepValues } from './batch.js'
import type { DataType, Graph, Procedure, Value, Values } from './graph.js'
import { inference } from './layers.js'
import type { Ops } from './ops.js'
import { type ActiveTerms, trainingStep } from './step.js'
import {
  averagedPart,
  context,
  type LayerValues,
  type NetworkSpec,
  shapeOf,
  stateProcedures,
  toFloats,
  type Variables,
} from './variables.js'

/** The images of a step: a batch of the data set on the device, or images given with the call. */
export type BatchSource = 'resident' | 'given'
/** The types of images that the engine interface takes. */
export type ImageType = 'uint8' | 'float'

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
export function procedures(spec: NetworkSpec, termSets: readonly ActiveTerms[]): readonly Procedure[] {
  return [
    ...stateProcedures(spec),
    firstNoise(spec),
    ...termSets.flatMap((active) => [residentStep(spec, active), givenStep(spec, active)]),
    ...inferenceProcedures(spec, 'uint8'),
    ...inferenceProcedures(spec, 'float'),
  ]
}

/** Draws the noise of an epoch's first step. Each step draws the noise of the next one. */
function firstNoise(spec: NetworkSpec): Procedure {
  return {
    name: 'draw-noise',
    inputs: { step: 'int32' },
    build: (graph, { step }) => {
      const { ops, variables } = context(graph, spec)
      drawNoise(ops, spec, variables, stepValues(ops, spec, step!))
      return { done: ops.float(1) }
    },
  }
}

function residentStep(spec: NetworkSpec, active: ActiveTerms): Procedure {
  return {
    name: stepName('resident', active),
    inputs: { step: 'int32' },
    build: (graph, inputs) => {
      const { ops, variables } = context(graph, spec)
      const step = stepValues(ops, spec, inputs.step!)
      const batch = residentBatch(ops, spec, variables, step)
      return { losses: trainingStep(ops, spec, variables, batch, step, active) }
    },
  }
}

function givenStep(spec: NetworkSpec, active: ActiveTerms): Procedure {
  return {
    name: stepName('given', active),
    inputs: { step: 'int32', clean: 'float', noisy: 'float' },
    build: (graph, inputs) => {
      const { ops, variables } = context(graph, spec)
      const step = stepValues(ops, spec, inputs.step!)
      const batch = { clean: inputs.clean!, noisy: inputs.noisy! }
      return { losses: trainingStep(ops, spec, variables, batch, step, active) }
    },
  }
}

/**
 * Images [count][inputs] through one replica: its embedding, the hidden layers' linear outputs, its output, or the squared
 * error of each image. Only the layers that a result needs are computed.
 */
function inferenceProcedures(spec: NetworkSpec, type: ImageType): readonly Procedure[] {
  const layers = layersOf(spec)
  const run = (graph: Graph, { images, replica }: Values, noise?: Value) => {
    const { ops, variables } = context(graph, spec)
    const clean = toFloats(ops, images!)
    const input = noise === undefined ? clean : ops.add(clean, noise)
    const values = replicaLayers(ops, spec, variables, replica!)
    return { ops, clean, passes: inference(ops, layers, values, input) }
  }
  const inputs: Record<string, DataType> = { images: type, replica: 'int32' }
  return [
    {
      name: inferenceName('encode', type),
      inputs,
      build: (graph, values) => ({ result: run(graph, values).passes[layers.length / 2 - 1]!.output }),
    },
    {
      name: inferenceName('linear-outputs', type),
      inputs,
      build: (graph, values) => {
        const { passes } = run(graph, values)
        return Object.fromEntries(hiddenPositions(spec).map((at) => [`${at}`, passes[at]!.linear]))
      },
    },
    {
      name: inferenceName('reconstruct', type),
      inputs,
      build: (graph, values) => ({ result: run(graph, values).passes.at(-1)!.output }),
    },
    {
      name: inferenceName('error', type),
      inputs: { ...inputs, noise: 'float' },
      build: (graph, values) => {
        const { ops, clean, passes } = run(graph, values, values.noise!)
        return { result: ops.sum(ops.square(ops.subtract(passes.at(-1)!.output, clean)), [2]) }
      },
    },
  ]
}

/** Returns the positions of the layers but the latent one and the output. */
export function hiddenPositions({ widths }: NetworkSpec): readonly number[] {
  const depth = widths.length - 1
  return [...Array(2 * depth - 1).keys()].filter((position) => position !== depth - 1)
}

/** Returns the layers of one replica's network, the averaged one if there is one. */
function replicaLayers(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  replica: Value,
): readonly LayerValues[] {
  return variables.layers((tensor) => {
    const part = spec.averaging === null ? tensor.part : averagedPart(tensor.part)
    const all = ops.read(variables.handle({ ...tensor, part }), 'float')
    return ops.reshape(ops.gather(all, replica, 0), [1, ...shapeOf(tensor)])
  })
}
