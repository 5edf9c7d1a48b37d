import type { Config } from '../config/schema.js'
import { batchNormEpsilon, innerLayerNames, type Layer, layersOf } from '../model/architecture.js'
import { evaluatedNetwork, modelTensors, type TrainerState } from '../model/state.js'
import type { LayerMeasures } from '../runs/metrics.js'
import { effectiveRank } from '../spectrum/effective-rank.js'
import { TimeSlice } from '../spectrum/time-slice.js'

// The time grows with the cube of the width: 0.3 s for 512 units, and several seconds an epoch for 1,500.
const widestRanked = 512

/**
 * Measures the hidden layers from the outputs of their linear maps on the images of the spectrum, [count][width] each.
 * A unit is dead if its activation is exactly 0 on all images, which only ReLU's is.
 * @throws the signal's reason if it is aborted.
 */
export async function measureLayers(
  linearOutputs: readonly Float32Array[],
  { model, spectrum }: Config,
  state: TrainerState,
  signal?: AbortSignal,
): Promise<readonly LayerMeasures[]> {
  const slice = new TimeSlice(signal)
  const tensors = modelTensors(model, evaluatedNetwork(state))
  const measures: LayerMeasures[] = []
  for (const [index, { name, layer }] of hiddenLayers(model).entries()) {
    const outputs = linearOutputs[index]!
    const vector = (kind: string) => tensors.get(`${layer.part}.${layer.index}.${kind}`)?.values
    const norm = layer.batchNorm ? scaleAndShift(vector) : null
    measures.push({
      layer: name,
      width: layer.outputs,
      deadUnits: layer.activation === 'relu' ? countDead(outputs, layer.outputs, norm) : 0,
      effectiveRank:
        layer.outputs > widestRanked
          ? Number.NaN
          : await effectiveRank(outputs, layer.outputs, spectrum.center, slice),
      meanVariance: meanVariance(outputs, layer.outputs),
    })
  }
  return measures
}

function hiddenLayers(model: Config['model']): readonly { readonly name: string; readonly layer: Layer }[] {
  const layers = layersOf(model)
  return innerLayerNames(model.widths.length)
    .map((name, position) => ({ name, layer: layers[position]! }))
    .filter(({ name }) => name !== 'latent')
}

/** Batch norm in inference: x → scale · x + shift, a number each per unit. */
interface ScaleAndShift {
  readonly scale: Float64Array
  readonly shift: Float64Array
}

function scaleAndShift(vector: (kind: string) => Float32Array | undefined): ScaleAndShift {
  const [gamma, beta] = [vector('gamma')!, vector('beta')!]
  const [mean, variance] = [vector('running_mean')!, vector('running_var')!]
  const scale = Float64Array.from(gamma, (value, i) => value / Math.sqrt(variance[i]! + batchNormEpsilon))
  return { scale, shift: Float64Array.from(beta, (value, i) => value - scale[i]! * mean[i]!) }
}

/** Returns the number of units whose input to ReLU is over 0 on no image. */
function countDead(outputs: Float32Array, width: number, norm: ScaleAndShift | null): number {
  const isAlive = new Uint8Array(width)
  for (let first = 0; first < outputs.length; first += width) {
    for (let unit = 0; unit < width; unit++) {
      const linear = outputs[first + unit]!
      const input = norm === null ? linear : norm.scale[unit]! * linear + norm.shift[unit]!
      if (input > 0) isAlive[unit] = 1
    }
  }
  return isAlive.reduce((dead, alive) => dead + 1 - alive, 0)
}

/** Returns the mean over the units of the variance over the images. */
function meanVariance(outputs: Float32Array, width: number): number {
  const count = outputs.length / width
  let sum = 0
  for (let unit = 0; unit < width; unit++) {
    let mean = 0
    for (let i = unit; i < outputs.length; i += width) mean += outputs[i]! / count
    for (let i = unit; i < outputs.length; i += width) sum += (outputs[i]! - mean) ** 2 / count
  }
  return sum / width
}
