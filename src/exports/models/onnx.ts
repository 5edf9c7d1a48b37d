import { type Activation, batchNormEpsilon } from '../../model/architecture.js'
import { bytesOf, type ExportFacts, type ModelFormat, protobufEncoder } from './format.js'
import { type ExportedLayer, type ExportedNetwork, type Port, tensorsOf } from './network.js'

const file = 'model.onnx'

// Versions that all runtimes of recent years support. Nothing here needs newer ones.
const opset = 13
const irVersion = 7

/** An ONNX graph of Gemm, BatchNormalization and the activations for any batch size. */
export const onnx: ModelFormat = {
  name: 'onnx',
  fileNames: [file],
  encode: async (network, facts) => {
    const encode = await protobufEncoder(onnxSchema)
    return [{ name: file, content: encode('ModelProto', modelOf(network, facts)) }]
  },
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
    node: operators.map(({ name, type, others, attributes }, index) => ({
      name,
      op_type: type,
      input: [index === 0 ? input.name : operators[index - 1]!.name, ...others],
      output: [index === last ? output.name : name],
      attribute: attributes,
    })),
    initializer: layers.flatMap(initializers),
    input: [valueInfo(input)],
    output: [valueInfo(output)],
  }
}

interface Operator {
  /** Also the name of its output, except for the last operator. */
  readonly name: string
  readonly type: 'Gemm' | 'BatchNormalization' | 'Relu' | 'LeakyRelu' | 'Sigmoid' | 'Mul'
  /** Names of its inputs after the first, which is the previous operator's output. */
  readonly others: readonly string[]
  readonly attributes: readonly object[]
}

function operatorsOf(layer: ExportedLayer): readonly Operator[] {
  const { name, norm, activation, slope } = layer
  const operator = (
    step: string,
    type: Operator['type'],
    others: readonly string[] = [],
    attributes: readonly object[] = [],
  ): Operator => ({ name: `${name}.${step}`, type, others, attributes })
  const tensors = (...kinds: readonly string[]) => kinds.map((kind) => `${name}.${kind}`)
  const transposed = { name: 'transB', i: 1, type: 'INT' }
  const linear = operator('linear', 'Gemm', tensors('weight', 'bias'), [transposed])
  const normTensors = tensors('gamma', 'beta', 'running_mean', 'running_var')
  const epsilon = { name: 'epsilon', f: batchNormEpsilon, type: 'FLOAT' }
  const normalised = operator('norm', 'BatchNormalization', normTensors, [epsilon])
  const affine = norm === null ? [linear] : [linear, normalised]
  const sigmoid = operator('sigmoid', 'Sigmoid')
  const alpha = { name: 'alpha', f: slope, type: 'FLOAT' }
  const activations: Readonly<Record<Activation, readonly Operator[]>> = {
    linear: [],
    relu: [operator('relu', 'Relu')],
    'leaky-relu': [operator('leaky-relu', 'LeakyRelu', [], [alpha])],
    silu: [sigmoid, operator('silu', 'Mul', [affine.at(-1)!.name])],
    sigmoid: [sigmoid],
  }
  return [...affine, ...activations[activation]]
}

function initializers(layer: ExportedLayer): readonly object[] {
  return tensorsOf(layer).map(({ kind, shape, values }) => ({
    name: `${layer.name}.${kind}`,
    dims: shape,
    data_type: 'FLOAT',
    raw_data: bytesOf(values),
  }))
}

function valueInfo({ name, width }: Port): object {
  const dim = [{ dim_param: 'batch' }, { dim_value: width }]
  return { name, type: { tensor_type: { elem_type: 'FLOAT', shape: { dim } } } }
}

/**
 * The part of ONNX's messages that this project writes, with their names and numbers (onnx/onnx.proto,
 * https://github.com/onnx/onnx; Apache-2.0).
 */
const onnxSchema = `
syntax = "proto3";

message ModelProto {
  int64 ir_version = 1;
  string producer_name = 2;
  string producer_version = 3;
  GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8;
  repeated StringStringEntryProto metadata_props = 14;
}

message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message StringStringEntryProto { string key = 1; string value = 2; }

message GraphProto {
  repeated NodeProto node = 1;
  string name = 2;
  repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11;
  repeated ValueInfoProto output = 12;
}

message NodeProto {
  repeated string input = 1;
  repeated string output = 2;
  string name = 3;
  string op_type = 4;
  repeated AttributeProto attribute = 5;
}

message AttributeProto {
  enum AttributeType { UNDEFINED = 0; FLOAT = 1; INT = 2; }
  string name = 1;
  float f = 2;
  int64 i = 3;
  AttributeType type = 20;
}

message TensorProto {
  enum DataType { UNDEFINED = 0; FLOAT = 1; }
  repeated int64 dims = 1;
  DataType data_type = 2;
  string name = 8;
  bytes raw_data = 9;
}

message ValueInfoProto { string name = 1; TypeProto type = 2; }
message TypeProto {
  message Tensor { TensorProto.DataType elem_type = 1; TensorShapeProto shape = 2; }
  Tensor tensor_type = 1;
}
message TensorShapeProto {
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
  repeated Dimension dim = 1;
}
`
