import { layersOf } from '../../model/architecture.js'
import { drawNoise, residentBatch, stepValues } from './batch.js'
import type { DataType, Graph, Procedure, Value, Values } from './graph.js'
import { inference } from './layers.js'
import type { Ops } from './ops.js'
import { trainingStep } from './step.js'
import {
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

export function stepName(source: BatchSource, withEigenLosses: boolean): string {
  return `step-${source}${withEigenLosses ? '-eigen' : ''}`
}

export function inferenceName(result: 'encode' | 'reconstruct' | 'error', type: ImageType): string {
  return `${result}-${type}`
}

/** Everything that a trainer calls: the contents of one graph. */
export function procedures(spec: NetworkSpec): readonly Procedure[] {
  const choices = spec.eigenLosses.length === 0 ? [false] : [false, true]
  return [
    ...stateProcedures(spec),
    firstNoise(spec),
    ...choices.flatMap((withEigenLosses) => [
      residentStep(spec, withEigenLosses),
      givenStep(spec, withEigenLosses),
    ]),
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
      drawNoise(ops, spec, variables, stepValues(ops, step!))
      return { done: ops.float(1) }
    },
  }
}

function residentStep(spec: NetworkSpec, withEigenLosses: boolean): Procedure {
  return {
    name: stepName('resident', withEigenLosses),
    inputs: { step: 'int32' },
    build: (graph, inputs) => {
      const { ops, variables } = context(graph, spec)
      const step = stepValues(ops, inputs.step!)
      const batch = residentBatch(ops, spec, variables, step)
      return { losses: trainingStep(ops, spec, variables, batch, step, withEigenLosses) }
    },
  }
}

function givenStep(spec: NetworkSpec, withEigenLosses: boolean): Procedure {
  return {
    name: stepName('given', withEigenLosses),
    inputs: { step: 'int32', clean: 'float', noisy: 'float' },
    build: (graph, inputs) => {
      const { ops, variables } = context(graph, spec)
      const step = stepValues(ops, inputs.step!)
      const batch = { clean: inputs.clean!, noisy: inputs.noisy! }
      return { losses: trainingStep(ops, spec, variables, batch, step, withEigenLosses) }
    },
  }
}

/** Images [count][inputs] through one replica: its embedding, its output, or the squared error of each image. */
function inferenceProcedures(spec: NetworkSpec, type: ImageType): readonly Procedure[] {
  const layers = layersOf(spec)
  const run = (graph: Graph, { images, replica }: Values, count: number, noise?: Value) => {
    const { ops, variables } = context(graph, spec)
    const clean = toFloats(ops, images!)
    const input = noise === undefined ? clean : ops.add(clean, noise)
    const values = replicaLayers(ops, variables, replica!)
    return { ops, clean, output: inference(ops, layers.slice(0, count), values, input) }
  }
  const inputs: Record<string, DataType> = { images: type, replica: 'int32' }
  return [
    {
      name: inferenceName('encode', type),
      inputs,
      build: (graph, values) => ({ result: run(graph, values, layers.length / 2).output }),
    },
    {
      name: inferenceName('reconstruct', type),
      inputs,
      build: (graph, values) => ({ result: run(graph, values, layers.length).output }),
    },
    {
      name: inferenceName('error', type),
      inputs: { ...inputs, noise: 'float' },
      build: (graph, values) => {
        const { ops, clean, output } = run(graph, values, layers.length, values.noise!)
        return { result: ops.sum(ops.square(ops.subtract(output, clean)), [2]) }
      },
    },
  ]
}

function replicaLayers(ops: Ops, variables: Variables, replica: Value): readonly LayerValues[] {
  return variables.layers((tensor) => {
    const all = ops.read(variables.handle(tensor), 'float')
    return ops.reshape(ops.gather(all, replica, 0), [1, ...shapeOf(tensor)])
  })
}
