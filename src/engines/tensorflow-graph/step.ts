import { inputDimension, latentDimension, layersOf } from '../../model/architecture.js'
import { adamInputs, applyAdam } from './adam.js'
import type { Batch, StepValues } from './batch.js'
import { updateStatistics } from './batch-norm.js'
import { type EigenLossTerm, eigenLossTerm } from './eigen-losses.js'
import type { Value } from './graph.js'
import { backward, forward, type LayerGradients, type LayerPass } from './layers.js'
import type { Ops } from './ops.js'
import type { NetworkSpec, StateTensor, Variables } from './variables.js'

/**
 * One step of training: forward, backward, Adam. Returns [3][replicas]: the mean squared error, the eigen losses'
 * unweighted sum and their weighted sum, the last two 0 without eigen losses.
 */
export function trainingStep(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  batch: Batch,
  step: StepValues,
  withEigenLosses: boolean,
): Value {
  const { eigenLosses, seeds, batchSize } = spec
  const values = variables.layers((tensor) => ops.read(variables.handle(tensor), 'float'))
  const passes = forward(ops, layersOf(spec), values, batch.noisy)
  const embedding = passes[passes.length / 2 - 1]!.output
  const eigenLoss = withEigenLosses
    ? eigenLossTerm(ops, eigenLosses, embedding, latentDimension(spec), batchSize)
    : null
  const count = ops.at('host', () => ops.cast(step.count, 'float'))
  const output = passes.at(-1)!.output
  const { error, gradient } = squaredError(ops, output, batch.clean, count, inputDimension(spec))
  assignParameters(ops, spec, variables, step, backward(ops, passes, gradient, eigenLoss))
  assignStatistics(ops, variables, passes, count)
  return lossesOf(ops, error, eigenLoss, seeds.length)
}

/** Returns mean((y − x)²) [replicas], and its gradient before the sigmoid that gave y. */
function squaredError(ops: Ops, output: Value, clean: Value, count: Value, inputs: number) {
  const elements = ops.multiply(count, ops.float(inputs))
  const difference = ops.subtract(output, clean)
  const error = ops.divide(ops.reshape(ops.sum(ops.square(difference), [1, 2]), [-1]), elements)
  const slope = ops.multiply(difference, ops.divide(ops.float(2), elements))
  return { error, gradient: ops.sigmoidGradient(output, slope) }
}

function assignParameters(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  step: StepValues,
  layers: readonly LayerGradients[],
): void {
  const inputs = adamInputs(ops, spec.adam, step.rate, step.epsilon)
  for (const tensor of variables.tensorsOf('parameters')) {
    const { gradients, after } = layers[variables.positionOf(tensor)]!
    const gradient = gradients[tensor.kind]
    if (gradient === undefined) continue
    const handle = (part: StateTensor['part']) => variables.handle({ ...tensor, part })
    const handles = [handle('parameters'), handle('firstMoments'), handle('secondMoments')] as const
    applyAdam(ops, inputs, handles, gradient, after)
  }
}

function assignStatistics(ops: Ops, variables: Variables, passes: readonly LayerPass[], count: Value): void {
  const updated = passes.map(
    ({ moments, values }) => moments && updateStatistics(ops, moments, values, count),
  )
  for (const tensor of variables.tensorsOf('runningStatistics')) {
    const statistics = updated[variables.positionOf(tensor)]!
    ops.assign(variables.handle(tensor), statistics[tensor.kind as keyof typeof statistics])
  }
}

function lossesOf(ops: Ops, error: Value, eigenLoss: EigenLossTerm | null, replicas: number): Value {
  if (eigenLoss !== null) return ops.stack([error, eigenLoss.value, eigenLoss.weighted])
  const zeros = ops.graph.constant('float', [replicas], Array<number>(replicas).fill(0))
  return ops.stack([error, zeros, zeros])
}
