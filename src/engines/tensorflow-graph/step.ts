import { inputDimension, layersOf } from '../../model/architecture.js'
import type { Batch, StepValues } from './batch.js'
import { updateStatistics } from './batch-norm.js'
import { type EigenLossTerms, eigenLossTerms } from './eigen-losses.js'
import type { Value } from './graph.js'
import { backward, forward, type LayerGradients, type LayerPass, layerMatrix } from './layers.js'
import type { Ops } from './ops.js'
import { optimizerUpdate } from './optimizer.js'
import { averagedPart, type NetworkSpec, type StateTensor, type Variables } from './variables.js'

/** Indices of the eigen losses that a step computes, ascending. */
export type ActiveTerms = readonly number[]

/**
 * One step of training: forward, backward, optimiser, averages. Returns [1 + 2 · active][replicas]: the mean squared error,
 * then the unweighted and the weighted value of each active eigen loss.
 */
export function trainingStep(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  batch: Batch,
  step: StepValues,
  active: ActiveTerms,
): Value {
  const values = variables.layers((tensor) => ops.read(variables.handle(tensor), 'float'))
  const passes = forward(ops, layersOf(spec), values, batch.noisy)
  const { losses, gradients } = eigenLossesOf(ops, spec, passes, step, active)
  const count = ops.at('host', () => ops.cast(step.count, 'float'))
  const { error, gradient } = squaredError(
    ops,
    passes.at(-1)!.output,
    batch.clean,
    count,
    inputDimension(spec),
  )
  updateParameters(ops, spec, variables, step, backward(ops, passes, gradient, gradients))
  assignStatistics(ops, spec, variables, step, passes, count)
  return ops.stack([error, ...losses.flatMap(({ value, weighted }) => [value, weighted])])
}

function eigenLossesOf(
  ops: Ops,
  { eigenLosses, batchSize }: NetworkSpec,
  passes: readonly LayerPass[],
  step: StepValues,
  active: ActiveTerms,
): EigenLossTerms {
  const chosen = active.map((index) => ({ spec: eigenLosses[index]!, weight: step.weights[index]! }))
  return eigenLossTerms(ops, chosen, {
    at: (position) => layerMatrix(ops, passes, position),
    widths: passes.map(({ layer }) => layer.outputs),
    count: ops.at('host', () => ops.cast(step.count, 'double')),
    largestBatch: batchSize,
  })
}

/** Returns mean((y − x)²) [replicas], and its gradient at y. */
function squaredError(ops: Ops, output: Value, clean: Value, count: Value, inputs: number) {
  const elements = ops.multiply(count, ops.float(inputs))
  const difference = ops.subtract(output, clean)
  const error = ops.divide(ops.reshape(ops.sum(ops.square(difference), [1, 2]), [-1]), elements)
  return { error, gradient: ops.multiply(difference, ops.divide(ops.float(2), elements)) }
}

function updateParameters(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  step: StepValues,
  layers: readonly LayerGradients[],
): void {
  const update = optimizerUpdate(ops, spec.optimizer, step)
  for (const tensor of variables.tensorsOf('parameters')) {
    const { gradients, after } = layers[variables.positionOf(tensor)]!
    const handle = (part: StateTensor['part']) => variables.handle({ ...tensor, part })
    const parameter = handle('parameters')
    const moments = { firstMoment: handle('firstMoments'), secondMoment: handle('secondMoments') }
    const updated = update({ kind: tensor.kind, parameter, ...moments }, gradients[tensor.kind]!, after)
    if (spec.averaging !== null)
      average(ops, variables, tensor, ops.read(parameter, 'float', [updated]), step)
  }
}

function assignStatistics(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  step: StepValues,
  passes: readonly LayerPass[],
  count: Value,
): void {
  const updated = passes.map(
    ({ moments, values }) => moments && updateStatistics(ops, moments, values, count),
  )
  for (const tensor of variables.tensorsOf('runningStatistics')) {
    const statistics = updated[variables.positionOf(tensor)]!
    const value = statistics[tensor.kind as keyof typeof statistics]
    ops.assign(variables.handle(tensor), value)
    if (spec.averaging !== null) average(ops, variables, tensor, value, step)
  }
}

/** average ← value + kept · (average − value), which with 0 is exactly a copy and keeps an average of equal values. */
function average(
  ops: Ops,
  variables: Variables,
  tensor: StateTensor,
  value: Value,
  { kept }: StepValues,
): void {
  const handle = variables.handle({ ...tensor, part: averagedPart(tensor.part) })
  const difference = ops.subtract(ops.read(handle, 'float'), value)
  ops.assign(handle, ops.add(value, ops.multiply(kept, difference)))
}
