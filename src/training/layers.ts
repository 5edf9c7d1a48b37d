import type { Config } from '../config/schema.js'
import { type LayerOutputs, type MeasuredOutputs, usableCore } from '../engines/native/binding.js'
import { batchNormEpsilon, innerLayerNames, type Layer, layersOf } from '../model/architecture.js'
import { evaluatedNetwork, modelTensors, type TrainerState } from '../model/state.js'
import type { LayerMeasures } from '../runs/metrics.js'
import { effectiveRankOfGram, gramEigenvalues } from '../spectrum/effective-rank.js'
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
  const tensors = modelTensors(model, evaluatedNetwork(state))
  const core = usableCore()
  const measures: LayerMeasures[] = []
  for (const [index, { name, layer }] of hiddenLayers(model).entries()) {
    const vector = (kind: string) => tensors.get(`${layer.part}.${layer.index}.${kind}`)?.values
    const outputs = {
      outputs: linearOutputs[index]!,
      width: layer.outputs,
      center: spectrum.center,
      ranked: layer.outputs <= widestRanked,
      norm: layer.batchNorm ? scaleAndShift(vector) : null,
    }
    const measured = core === null ? measureHere(outputs, signal) : core.measureLayer(outputs)
    const { silentUnits, meanVariance, eigenvalues } = await measured
    signal?.throwIfAborted()
    measures.push({
      layer: name,
      width: layer.outputs,
      deadUnits: layer.activation === 'relu' ? silentUnits : 0,
      effectiveRank: eigenvalues.length === 0 ? Number.NaN : effectiveRankOfGram(eigenvalues),
      meanVariance,
    })
  }
  return measures
}

/** Measures on the JavaScript thread, with the same bits as the core in six times its time. */
export async function measureHere(
  { outputs, width, center, ranked, norm }: LayerOutputs,
  signal?: AbortSignal,
): Promise<MeasuredOutputs> {
  const slice = new TimeSlice(signal)
  return {
    silentUnits: countSilent(outputs, width, norm),
    meanVariance: meanVariance(outputs, width),
    eigenvalues: ranked ? await gramEigenvalues(outputs, width, center, slice) : new Float64Array(),
  }
}

function hiddenLayers(model: Config['model']): readonly { readonly name: string; readonly layer: Layer }[] {
  const layers = layersOf(model)
  return innerLayerNames(model.widths.length)
    .map((name, position) => ({ name, layer: layers[position]! }))
    .filter(({ name }) => name !== 'latent')
}

function scaleAndShift(vector: (kind: string) => Float32Array | undefined) {
  const [gamma, beta] = [vector('gamma')!, vector('beta')!]
  const [mean, variance] = [vector('running_mean')!, vector('running_var')!]
  const scale = Float64Array.from(gamma, (value, i) => value / Math.sqrt(variance[i]! + batchNormEpsilon))
  return { scale, shift: Float64Array.from(beta, (value, i) => value - scale[i]! * mean[i]!) }
}

function countSilent(outputs: Float32Array, width: number, norm: LayerOutputs['norm']): number {
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
    for (let i = unit; i < outputs.length; i += width)
      sum += ((outputs[i]! - mean) * (outputs[i]! - mean)) / count
  }
  return sum / width
}
