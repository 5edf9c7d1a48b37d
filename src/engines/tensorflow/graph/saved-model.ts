import { createRequire } from 'node:module'
import { dataTypes } from '../binding.js'
import type { Attribute } from '../builder.js'
import type { Constant, GraphNode } from './builder.js'

/** The tag by which the model in the file is loaded. */
export const savedModelTag = 'eigenae'

/** What is used here of dist/proto/api_pb.js, generated from TensorFlow's api.proto by google-protobuf. */
interface Message {
  readonly [method: string]: (...values: readonly unknown[]) => Message
}
type MessageClass = new () => Message
interface Api {
  readonly SavedModel: MessageClass
  readonly MetaGraphDef: MessageClass & { readonly MetaInfoDef: MessageClass }
  readonly GraphDef: MessageClass
  readonly NodeDef: MessageClass
  readonly AttrValue: MessageClass
  readonly Tensor: MessageClass
  readonly TensorShape: MessageClass & { readonly Dim: MessageClass }
  readonly VersionDef: MessageClass
}

/** The bytes of saved_model.pb for a graph: a model without files of its own, that Session loads as it is. */
export function encodeSavedModel(nodes: readonly GraphNode[]): Uint8Array {
  const api = loadApi()
  const model = new api.SavedModel()
  model.setSavedModelSchemaVersion!(1)
  model.addMetaGraphs!(metaGraph(api, nodes))
  return model.serializeBinary!() as unknown as Uint8Array
}

function loadApi(): Api {
  return createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js') as Api
}

function metaGraph(api: Api, nodes: readonly GraphNode[]): Message {
  const info = new api.MetaGraphDef.MetaInfoDef()
  info.setTagsList!([savedModelTag])
  const graph = new api.GraphDef()
  graph.setNodeList!(nodes.map((node) => encodeNode(api, node)))
  graph.setVersions!(versions(api))
  const meta = new api.MetaGraphDef()
  meta.setMetaInfoDef!(info)
  meta.setGraphDef!(graph)
  return meta
}

/** The producer says by which rules the graph was written: those since 2021 are the last that changed anything here. */
function versions(api: Api): Message {
  const message = new api.VersionDef()
  message.setProducer!(987)
  return message
}

function encodeNode(api: Api, { name, op, inputs, attributes, constant, device }: GraphNode): Message {
  const message = new api.NodeDef()
  message.setName!(name)
  message.setOp!(op)
  message.setInputList!(inputs)
  message.setDevice!(device)
  const map = message.getAttrMap!()
  for (const [key, attribute] of Object.entries(attributes)) map.set!(key, encodeAttribute(api, attribute))
  if (constant !== null) map.set!('value', encodeConstant(api, constant))
  return message
}

function encodeAttribute(api: Api, attribute: Attribute): Message {
  const message = new api.AttrValue()
  if (typeof attribute === 'boolean') message.setB!(attribute)
  else if (typeof attribute === 'number') message.setI!(attribute)
  else if (typeof attribute === 'string') message.setS!(Buffer.from(attribute))
  else if ('type' in attribute) message.setType!(dataTypes[attribute.type])
  else message.setShape!(encodeShape(api, attribute.shape))
  return message
}

function encodeShape(api: Api, shape: readonly number[]): Message {
  const message = new api.TensorShape()
  const dimensions = shape.map((size) => {
    const dimension = new api.TensorShape.Dim()
    dimension.setSize!(size)
    return dimension
  })
  message.setDimList!(dimensions)
  return message
}

function encodeConstant(api: Api, { type, shape, values }: Constant): Message {
  const arrays = { float: Float32Array, double: Float64Array, int32: Int32Array }
  const content = arrays[type].from(values)
  const tensor = new api.Tensor()
  tensor.setDtype!(dataTypes[type])
  tensor.setTensorShape!(encodeShape(api, shape))
  tensor.setTensorContent!(new Uint8Array(content.buffer))
  const message = new api.AttrValue()
  message.setTensor!(tensor)
  return message
}
