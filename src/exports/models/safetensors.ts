import { batchNormEpsilon } from '../../model/architecture.js'
import { encodeSafetensors } from '../../runs/safetensors.js'
import type { ModelFormat } from './format.js'
import { type ExportedLayer, tensorsOf } from './network.js'

const file = 'model.safetensors'

/** Tensors with the same names as in a run's model.safetensors. */
export const safetensors: ModelFormat = {
  name: 'safetensors',
  fileNames: [file],
  encode: async ({ part, layers }, facts) => {
    const tensors = new Map(
      layers.flatMap((layer) =>
        tensorsOf(layer).map(({ kind, ...tensor }) => [`${layer.name}.${kind}`, tensor] as const),
      ),
    )
    const metadata = { format: 'eigenae-export-1', part, facts: JSON.stringify(facts) }
    return [{ name: file, content: encodeSafetensors({ tensors, metadata }) }]
  },
  guide: ({ input, output, layers }) => ({
    language: 'python',
    needs: '`pip install numpy safetensors`',
    inputIs: `numpy array, float32 [batch, ${input.width}]`,
    code: [
      'import numpy',
      'from safetensors.numpy import load_file',
      '',
      `t = load_file('${file}')`,
      `x = ${input.name}`,
      ...layers.flatMap(forward),
      `${output.name} = x`,
    ],
    notes: ['Weights are [out, in]. PyTorch reads the file with `safetensors.torch.load_file`.'],
  }),
}

/** Returns the layer in NumPy code. */
function forward({ name, norm, activation, slope }: ExportedLayer): readonly string[] {
  const t = (kind: string) => `t['${name}.${kind}']`
  const lines = {
    linear: [],
    relu: ['x = numpy.maximum(x, 0)'],
    'leaky-relu': [`x = numpy.where(x > 0, x, ${slope} * x)`],
    silu: ['x = x / (1 + numpy.exp(-x))'],
    sigmoid: ['x = 1 / (1 + numpy.exp(-x))'],
  }
  return [
    `x = x @ ${t('weight')}.T + ${t('bias')}`,
    ...(norm === null
      ? []
      : [
          `x = (x - ${t('running_mean')}) / numpy.sqrt(${t('running_var')} + ${batchNormEpsilon})`,
          `x = x * ${t('gamma')} + ${t('beta')}`,
        ]),
    ...lines[activation],
  ]
}
