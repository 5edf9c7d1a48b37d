import { createRequire } from 'node:module'

/** What is used here of dist/proto/api_pb.js, generated from TensorFlow's api.proto by google-protobuf. */
export interface Message {
  readonly [method: string]: (...values: readonly unknown[]) => Message
}
type MessageClass = new () => Message
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

export function loadProtocol(file: string): Protocol {
  return createRequire(import.meta.url)(file) as Protocol
}
