import { type Attribute, type Constant, dataTypes, type GraphNode } from './graph.js'

/** A message of TensorFlow's protocol buffers. */
export interface Message {
  readonly [method: string]: (...values: readonly unknown[]) => Message
}
type MessageClass = new () => Message

/** The messages used here of dist/proto/api_pb.js, which google-protobuf generates from TensorFlow's api.proto. */
export interface Protocol {
  readonly SavedModel: MessageClass
  readonly MetaGraphDef: MessageClass & { readonly MetaInfoDef: MessageClass }
  readonly GraphDef: MessageClass
  readonly NodeDef: MessageClass
  readonly AttrValue: MessageClass
  readonly Tensor: MessageClass
  readonly TensorShape: MessageClass & { readonly Dim: MessageClass }
  readonly VersionDef: MessageClass
}

/** The tag that the model is loaded by. */
export const savedModelTag = 'eigenae'

/** Returns the bytes of saved_model.pb for a graph without further files. */
export function encodeSavedModel(protocol: Protocol, nodes: readonly GraphNode[]): Uint8Array {
  const model = new protocol.SavedModel()
  model.setSavedModelSchemaVersion!(1)
  model.addMetaGraphs!(metaGraph(protocol, nodes))
  return model.serializeBinary!() as unknown as Uint8Array
}

function metaGraph(protocol: Protocol, nodes: readonly GraphNode[]): Message {
  const info = new protocol.MetaGraphDef.MetaInfoDef()
  info.setTagsList!([savedModelTag])
  const graph = new protocol.GraphDef()
  graph.setNodeList!(nodes.map((node) => encodeNode(protocol, node)))
  graph.setVersions!(versions(protocol))
  const meta = new protocol.MetaGraphDef()
  meta.setMetaInfoDef!(info)
  meta.setGraphDef!(graph)
  return meta
}

/** The producer is the version of GraphDef's rules that the graph follows; 987 is of 2021, later ones change nothing here. */
function versions(protocol: Protocol): Message {
  const message = new protocol.VersionDef()
  message.setProducer!(987)
  return message
}

function encodeNode(
  protocol: Protocol,
  { name, op, inputs, attributes, constant, device }: GraphNode,
): Message {
  const message = new protocol.NodeDef()
  message.setName!(name)
  message.setOp!(op)
  message.setInputList!(inputs)
  message.setDevice!(device)
  const map = message.getAttrMap!()
  for (const [key, attribute] of Object.entries(attributes))
    map.set!(key, encodeAttribute(protocol, attribute))
  if (constant !== null) map.set!('value', encodeConstant(protocol, constant))
  return message
}

function encodeAttribute(protocol: Protocol, attribute: Attribute): Message {
  const message = new protocol.AttrValue()
  if (typeof attribute === 'boolean') message.setB!(attribute)
  else if (typeof attribute === 'number') message.setI!(attribute)
  else if (typeof attribute === 'string') message.setS!(Buffer.from(attribute))
  else if ('float' in attribute) message.setF!(attribute.float)
  else if ('type' in attribute) message.setType!(dataTypes[attribute.type])
  else message.setShape!(encodeShape(protocol, attribute.shape))
  return message
}

function encodeShape(protocol: Protocol, shape: readonly number[]): Message {
  const message = new protocol.TensorShape()
  const dimensions = shape.map((size) => {
    const dimension = new protocol.TensorShape.Dim()
    dimension.setSize!(size)
    return dimension
  })
  message.setDimList!(dimensions)
  return message
}

function encodeConstant(protocol: Protocol, { type, shape, values }: Constant): Message {
  const arrays = { float: Float32Array, double: Float64Array, int32: Int32Array }
  const content = arrays[type].from(values)
  const tensor = new protocol.Tensor()
  tensor.setDtype!(dataTypes[type])
  tensor.setTensorShape!(encodeShape(protocol, shape))
  tensor.setTensorContent!(new Uint8Array(content.buffer))
  const message = new protocol.AttrValue()
  message.setTensor!(tensor)
  return message
}
