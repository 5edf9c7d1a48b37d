import { batchNormEpsilon } from '../../model/architecture.js'
import type { ExportFacts, ModelFormat } from './format.js'
import { type ExportedLayer, type ExportedNetwork, namedTensors, type Port } from './network.js'

const file = 'model.onnx'

// Versions that all runtimes of recent years support. Nothing here needs newer ones.
const opset = 13
const irVersion = 7

/** An ONNX graph of Gemm, BatchNormalization and the activations for any batch size. */
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
  // Imported here because no other command needs it.
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
  const { name, norm } = layer
  const tensors = (...kinds: readonly string[]) => kinds.map((kind) => `${name}.${kind}`)
  const linear: Operator = {
    name: `${name}.linear`,
    type: 'Gemm',
    others: tensors('weight', 'bias'),
    attributes: [{ name: 'transB', i: 1, type: 'INT' }],
  }
  const normalised: Operator = {
    name: `${name}.norm`,
    type: 'BatchNormalization',
    others: tensors('gamma', 'beta', 'running_mean', 'running_var'),
    attributes: [{ name: 'epsilon', f: batchNormEpsilon, type: 'FLOAT' }],
  }
  const affine = norm === null ? [linear] : [linear, normalised]
  return [...affine, ...activationOperators(layer, affine.at(-1)!.name)]
}

/** @param input the name of the activation's input */
function activationOperators({ name, activation, slope }: ExportedLayer, input: string): readonly Operator[] {
  const relu: Operator = { name: `${name}.relu`, type: 'Relu', others: [], attributes: [] }
  const sigmoid: Operator = { name: `${name}.sigmoid`, type: 'Sigmoid', others: [], attributes: [] }
  switch (activation) {
    case 'linear':
      return []
    case 'relu':
      return [relu]
    case 'leaky-relu': {
      const attributes = [{ name: 'alpha', f: slope, type: 'FLOAT' }]
      return [{ name: `${name}.leaky-relu`, type: 'LeakyRelu', others: [], attributes }]
    }
    case 'silu':
      return [sigmoid, { name: `${name}.silu`, type: 'Mul', others: [input], attributes: [] }]
    case 'sigmoid':
      return [sigmoid]
  }
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
