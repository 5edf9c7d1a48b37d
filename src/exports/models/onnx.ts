import { batchNormEpsilon } from '../../model/architecture.js'
import type { ExportFacts, ModelFormat } from './format.js'
import { type ExportedLayer, type ExportedNetwork, namedTensors, type Port } from './network.js'
import { onnxSchema } from './onnx-schema.js'

const file = 'model.onnx'

// Old enough for every runtime of the last years; nothing here needs a newer one.
const opset = 13
const irVersion = 7

/** An ONNX graph of Gemm, BatchNormalization, Relu and Sigmoid, the batch's size left open. */
export const onnx: ModelFormat = {
  name: 'onnx',
  fileNames: [file],
  encode: async (network, facts) => [{ name: file, content: await encode(modelOf(network, facts)) }],
  guide: ({ input, output }) => ({
    language: 'python',
    needs: '`pip install numpy onnxruntime`',
    inputIs: `numpy array, float32 [batch, ${input.width}]`,
    code: [
      'import onnxruntime',
      `session = onnxruntime.InferenceSession('${file}')`,
      `[${output.name}] = session.run(None, {'${input.name}': ${input.name}})`,
    ],
    notes: [
      `Opset ${opset}, IR version ${irVersion}. The input is named \`${input.name}\`, the output \`${output.name}\`; the batch may have any size.`,
    ],
  }),
}

async function encode(model: object): Promise<Uint8Array> {
  // Only here: no other command needs it.
  const { default: protobuf } = await import('protobufjs')
  const { root } = protobuf.parse(onnxSchema, { keepCase: true })
  const type = root.lookupType('ModelProto')
  return type.encode(type.fromObject(model)).finish()
}

function modelOf(network: ExportedNetwork, facts: ExportFacts): object {
  const metadata = { format: 'eigenae-export-1', part: network.part, facts: JSON.stringify(facts) }
  return {
    ir_version: irVersion,
    opset_import: [{ domain: '', version: opset }],
    producer_name: 'eigenae',
    producer_version: facts.eigenae,
    graph: graphOf(network),
    metadata_props: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  }
}

function graphOf({ part, input, output, layers }: ExportedNetwork): object {
  const operators = layers.flatMap(operatorsOf)
  const last = operators.length - 1
  return {
    name: part,
    node: operators.map(({ name, type, constants, attributes }, index) => ({
      name,
      op_type: type,
      input: [index === 0 ? input.name : operators[index - 1]!.name, ...constants],
      output: [index === last ? output.name : name],
      attribute: attributes,
    })),
    initializer: layers.flatMap(initializers),
    input: [valueInfo(input)],
    output: [valueInfo(output)],
  }
}

interface Operator {
  /** Also that of its output, but the last one's. */
  readonly name: string
  readonly type: 'Gemm' | 'BatchNormalization' | 'Relu' | 'Sigmoid'
  /** Names of the tensors it takes beside the operator before. */
  readonly constants: readonly string[]
  readonly attributes: readonly object[]
}

const activationTypes = { linear: null, relu: 'Relu', sigmoid: 'Sigmoid' } as const

function operatorsOf({ name, norm, activation }: ExportedLayer): readonly Operator[] {
  const tensors = (...kinds: readonly string[]) => kinds.map((kind) => `${name}.${kind}`)
  const linear: Operator = {
    name: `${name}.linear`,
    type: 'Gemm',
    constants: tensors('weight', 'bias'),
    attributes: [{ name: 'transB', i: 1, type: 'INT' }],
  }
  const normalised: Operator = {
    name: `${name}.norm`,
    type: 'BatchNormalization',
    constants: tensors('gamma', 'beta', 'running_mean', 'running_var'),
    attributes: [{ name: 'epsilon', f: batchNormEpsilon, type: 'FLOAT' }],
  }
  const type = activationTypes[activation]
  return [
    linear,
    ...(norm === null ? [] : [normalised]),
    ...(type === null ? [] : [{ name: `${name}.${activation}`, type, constants: [], attributes: [] }]),
  ]
}

function initializers(layer: ExportedLayer): readonly object[] {
  return Array.from(namedTensors(layer), ([name, { shape, values }]) => ({
    name,
    dims: shape,
    data_type: 'FLOAT',
    raw_data: Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  }))
}

function valueInfo({ name, width }: Port): object {
  const dim = [{ dim_param: 'batch' }, { dim_value: width }]
  return { name, type: { tensor_type: { elem_type: 'FLOAT', shape: { dim } } } }
}
