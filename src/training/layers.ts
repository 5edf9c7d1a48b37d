import type { Config } from '../config/schema.js'
import { measure } from '../engines/measures.js'
import { batchNormEpsilon, innerLayerNames, type Layer, layersOf } from '../model/architecture.js'
import { evaluatedNetwork, modelTensors, type TrainerState } from '../model/state.js'
import type { LayerMeasures } from '../runs/metrics.js'
import { effectiveRankOfGram } from '../spectrum/spectrum.js'

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
    const { silentUnits, meanVariance, eigenvalues } = await measure(
      (core) => core.measureLayer(outputs),
      signal,
    )
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
