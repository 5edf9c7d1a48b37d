import { type Activation, batchNormEpsilon } from '../../model/architecture.js'
import type { TensorKind } from '../../model/layout.js'
import { bytesOf, type ExportFacts, type ModelFormat } from './format.js'
import { type ExportedLayer, type ExportedNetwork, tensorsOf } from './network.js'

const modelFile = 'model.json'
const weightsFile = 'weights.bin'

/** A LayersModel of TensorFlow.js: a Keras description in JSON, and a file with the weights. */
export const tfjs: ModelFormat = {
  name: 'tfjs',
  fileNames: [modelFile, weightsFile],
  encode: async (network, facts) => {
    const weights = network.layers.flatMap(weightsOf)
    return [
      { name: modelFile, content: `${JSON.stringify(layersModel(network, weights, facts), null, 1)}\n` },
      { name: weightsFile, content: Buffer.concat(weights.map(({ values }) => bytesOf(values))) },
    ]
  },
  // The path starts with "./" because TensorFlow.js loads the weights of a path without a slash from the server's root.
  guide: ({ input, output }) => ({
    language: 'js',
    needs:
      'In a page: `<script src="https://cdn.jsdelivr.net/npm/@tensorflow/tfjs"></script>`, or `@tensorflow/tfjs` from npm with a bundler.',
    inputIs: `tensor, \`tf.tensor2d(pixels, [batch, ${input.width}])\``,
    code: [
      `const model = await tf.loadLayersModel('./${modelFile}')`,
      `const ${output.name} = model.predict(${input.name})`,
    ],
    notes: [
      'A page loads the model by its URL, so a server must serve the folder, for example `npx http-server`.',
    ],
  }),
}

interface Weight {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array
}

const kerasTensors: Readonly<Record<TensorKind, string>> = {
  weight: '/kernel',
  bias: '/bias',
  gamma: '_norm/gamma',
  beta: '_norm/beta',
  running_mean: '_norm/moving_mean',
  running_var: '_norm/moving_variance',
}

/** Keras has kernels as [inputs][outputs]. */
function weightsOf(layer: ExportedLayer): readonly Weight[] {
  const { name, inputs, outputs } = layer
  const transpose = (weight: Float32Array) =>
    weight.map((_, place) => weight[(place % outputs) * inputs + Math.floor(place / outputs)]!)
  return tensorsOf(layer).map(({ kind, shape, values }) => ({
    name: kerasName(name) + kerasTensors[kind],
    shape: shape.toReversed(),
    values: kind === 'weight' ? transpose(values) : values,
  }))
}

type KerasActivation = 'relu' | 'linear' | 'sigmoid' | 'swish'

/** The names of activations in Keras. Leaky ReLU is a layer of its own there. */
const kerasActivations: Readonly<Record<Exclude<Activation, 'leaky-relu'>, KerasActivation>> = {
  relu: 'relu',
  silu: 'swish',
  linear: 'linear',
  sigmoid: 'sigmoid',
}

/** encoder.0 → encoder_0, because Keras names contain no dots. */
function kerasName(name: string): string {
  return name.replace('.', '_')
}

function layersModel(
  { part, input, layers }: ExportedNetwork,
  weights: readonly Weight[],
  facts: ExportFacts,
): object {
  const inputLayer = {
    class_name: 'InputLayer',
    config: { name: input.name, batch_input_shape: [null, input.width], dtype: 'float32', sparse: false },
  }
  return {
    format: 'layers-model',
    generatedBy: `eigenae ${facts.eigenae}`,
    convertedBy: null,
    modelTopology: {
      keras_version: '2.1.6',
      backend: 'tensor_flow.js',
      model_config: {
        class_name: 'Sequential',
        config: { name: part, layers: [inputLayer, ...layers.flatMap(kerasLayers)] },
      },
    },
    weightsManifest: [
      {
        paths: [weightsFile],
        weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
    userDefinedMetadata: { format: 'eigenae-export-1', ...facts },
  }
}

function kerasLayers({ name, outputs, norm, activation, slope }: ExportedLayer): readonly object[] {
  const layer = kerasName(name)
  const dense = (then: KerasActivation) => ({
    class_name: 'Dense',
    config: { name: layer, units: outputs, activation: then, use_bias: true, dtype: 'float32' },
  })
  if (norm === null && activation !== 'leaky-relu') return [dense(kerasActivations[activation])]
  const activationName = `${layer}_activation`
  const normalised = {
    class_name: 'BatchNormalization',
    config: { name: `${layer}_norm`, axis: -1, epsilon: batchNormEpsilon, center: true, scale: true },
  }
  return [
    dense('linear'),
    ...(norm === null ? [] : [normalised]),
    activation === 'leaky-relu'
      ? { class_name: 'LeakyReLU', config: { name: activationName, alpha: slope } }
      : {
          class_name: 'Activation',
          config: { name: activationName, activation: kerasActivations[activation] },
        },
  ]
}
