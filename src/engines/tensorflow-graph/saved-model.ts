import { dataTypes } from '../tensorflow/binding.js'
import type { Message, Protocol } from '../tensorflow/protocol.js'
import type { Attribute } from './builder.js'
import type { Constant, GraphNode } from './graph-builder.js'

/** The tag by which the model in the file is loaded. */
export const savedModelTag = 'eigenae'

/** The bytes of saved_model.pb for a graph: a model without files of its own, that Session loads as it is. */
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

/** The producer says by which rules the graph was written: those since 2021 are the last that changed anything here. */
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
