import { inputDimension, latentDimension, layersOf } from '../../model/architecture.js'
import { adamInputs, applyAdam } from './adam.js'
import { backward, type LayerGradients } from './backward.js'
import type { Batch, StepNumbers } from './batch.js'
import { movedStatistics } from './batch-norm.js'
import type { Value } from './builder.js'
import { type EigenLossTerm, eigenLossTerm } from './eigen-loss-term.js'
import { forward, type Pass } from './forward.js'
import type { Ops } from './ops.js'
import type { LayerValues, NetworkSpec, StateTensor, Variables } from './variables.js'

/** One step of training. Returns [3][replicas]: the mean squared error, the eigen losses' value, and weighted. */
export function trainingStep(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  batch: Batch,
  step: StepNumbers,
  penalised: boolean,
): Value {
  const { eigenLosses, seeds } = spec
  const values = variables.layers((tensor) => ops.read(variables.handle(tensor), 'float'))
  const passes = forward(ops, layersOf(spec), values, batch.noisy)
  const latent = latentDimension(spec)
  const codes = passes[passes.length / 2 - 1]!.output
  const eigenLoss = penalised ? eigenLossTerm(ops, eigenLosses, codes, latent, spec.batchSize) : null
  const count = ops.at('host', () => ops.cast(step.count, 'float'))
  const { error, gradient } = squaredError(
    ops,
    passes.at(-1)!.output,
    batch.clean,
    count,
    inputDimension(spec),
  )
  updateParameters(ops, spec, variables, step, backward(ops, passes, gradient, eigenLoss))
  updateStatistics(ops, variables, passes, count)
  return losses(ops, error, eigenLoss, seeds.length)
}

/** mean((y − x)²) [replicas], and its gradient before the sigmoid that gave y. */
function squaredError(ops: Ops, output: Value, clean: Value, count: Value, inputs: number) {
  const elements = ops.multiply(count, ops.float(inputs))
  const difference = ops.subtract(output, clean)
  const error = ops.divide(ops.reshape(ops.sum(ops.square(difference), [1, 2]), [-1]), elements)
  const slope = ops.multiply(difference, ops.divide(ops.float(2), elements))
  return { error, gradient: ops.sigmoidGradient(output, slope) }
}

function updateParameters(
  ops: Ops,
  spec: NetworkSpec,
  variables: Variables,
  step: StepNumbers,
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

function updateStatistics(ops: Ops, variables: Variables, passes: readonly Pass[], count: Value): void {
  const moved = passes.map(({ moments, values }) => moments && movedStatistics(ops, moments, values, count))
  for (const tensor of variables.tensorsOf('runningStatistics')) {
    const values: LayerValues = moved[variables.positionOf(tensor)]!
    ops.assign(variables.handle(tensor), values[tensor.kind]!)
  }
}

function losses(ops: Ops, error: Value, eigenLoss: EigenLossTerm | null, replicas: number): Value {
  if (eigenLoss !== null) return ops.stack([error, eigenLoss.value, eigenLoss.weighted])
  const none = ops.builder.constant('float', [replicas], Array<number>(replicas).fill(0))
  return ops.stack([error, none, none])
}
