import { layersOf } from '../../model/architecture.js'
import type { DataType } from '../tensorflow/binding.js'
import { drawNoise, givenBatch, pixels, residentBatch, stepNumbers } from './batch.js'
import type { Builder, Procedure, Value, Values } from './builder.js'
import { inference } from './forward.js'
import type { Ops } from './ops.js'
import { stateProcedures } from './state.js'
import { trainingStep } from './step.js'
import { context, type LayerValues, type NetworkSpec, shapeOf, type Variables } from './variables.js'

/** What a step trains on: a batch of the resident data set, or one that is given to it. */
export type BatchSource = 'resident' | 'given'
/** Images as the interface takes them. */
export type ImageType = 'uint8' | 'float'

export function stepName(source: BatchSource, penalised: boolean): string {
  return `step-${source}${penalised ? '-penalised' : ''}`
}

export const inferenceName = (what: 'encode' | 'reconstruct' | 'error', type: ImageType) => `${what}-${type}`

/** All that a trainer can ask of TensorFlow. */
export function procedures(spec: NetworkSpec): readonly Procedure[] {
  const kinds = spec.eigenLosses.length === 0 ? [false] : [false, true]
  return [
    ...stateProcedures(spec),
    firstNoise(spec),
    ...kinds.flatMap((penalised) => [residentStep(spec, penalised), givenStep(spec, penalised)]),
    ...(['uint8', 'float'] as const).flatMap((type) => inferenceProcedures(spec, type)),
  ]
}

/** Before an epoch's first step: each draws the noise of the next. */
function firstNoise(spec: NetworkSpec): Procedure {
  return {
    name: 'draw-noise',
    inputs: { place: 'int32' },
    build: (builder, { place }) => {
      const { ops, variables } = context(builder, spec)
      drawNoise(ops, spec, variables, stepNumbers(ops, place!))
      return { done: ops.float(1) }
    },
  }
}

function residentStep(spec: NetworkSpec, penalised: boolean): Procedure {
  return {
    name: stepName('resident', penalised),
    inputs: { place: 'int32' },
    build: (builder, { place }) => {
      const { ops, variables } = context(builder, spec)
      const step = stepNumbers(ops, place!)
      const batch = residentBatch(ops, spec, variables, step)
      return { losses: trainingStep(ops, spec, variables, batch, step, penalised) }
    },
  }
}

function givenStep(spec: NetworkSpec, penalised: boolean): Procedure {
  return {
    name: stepName('given', penalised),
    inputs: { place: 'int32', clean: 'float', noisy: 'float' },
    build: (builder, inputs) => {
      const { ops, variables } = context(builder, spec)
      const step = stepNumbers(ops, inputs.place!)
      return { losses: trainingStep(ops, spec, variables, givenBatch(inputs), step, penalised) }
    },
  }
}

/** Of one replica: images [count][inputs] through its encoder, or through it all, or to the error of each. */
function inferenceProcedures(spec: NetworkSpec, type: ImageType): readonly Procedure[] {
  const layers = layersOf(spec)
  const run = (builder: Builder, { images, replica }: Values, count: number, added?: Value) => {
    const { ops, variables } = context(builder, spec)
    const clean = pixels(ops, images!)
    const input = added === undefined ? clean : ops.add(clean, added)
    const values = replicaLayers(ops, variables, replica!)
    return { ops, clean, output: inference(ops, layers.slice(0, count), values, input) }
  }
  const inputs: Record<string, DataType> = { images: type, replica: 'int32' }
  return [
    {
      name: inferenceName('encode', type),
      inputs,
      build: (builder, values) => ({ result: run(builder, values, layers.length / 2).output }),
    },
    {
      name: inferenceName('reconstruct', type),
      inputs,
      build: (builder, values) => ({ result: run(builder, values, layers.length).output }),
    },
    {
      name: inferenceName('error', type),
      inputs: { ...inputs, noise: 'float' },
      build: (builder, values) => {
        const { ops, clean, output } = run(builder, values, layers.length, values.noise!)
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
