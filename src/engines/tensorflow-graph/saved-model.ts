import { type Attribute, type Constant, dataTypes, type GraphNode } from './graph.js'

/** The tag that the model is loaded by. */
export const savedModelTag = 'eigenae'

/**
 * Returns saved_model.pbtxt for a graph without further files: TensorFlow's message SavedModel in the text format of protocol
 * buffers. The producer is the version of GraphDef's rules that the graph follows; 987 is of 2021, later ones change nothing
 * here.
 */
export function savedModelText(nodes: readonly GraphNode[]): string {
  const graph = ['versions { producer: 987 }', ...nodes.map(nodeText)].join('\n')
  return `saved_model_schema_version: 1
meta_graphs { meta_info_def { tags: ${quoted(savedModelTag)} } graph_def { ${graph} } }
`
}

function nodeText({ name, op, inputs, attributes, constant, device }: GraphNode): string {
  const attribute = (key: string, value: string) => `attr { key: ${quoted(key)} value { ${value} } }`
  return [
    `node { name: ${quoted(name)} op: ${quoted(op)} device: ${quoted(device)}`,
    ...inputs.map((input) => `input: ${quoted(input)}`),
    ...Object.entries(attributes).map(([key, value]) => attribute(key, attributeText(value))),
    ...(constant === null ? [] : [attribute('value', constantText(constant))]),
    '}',
  ].join(' ')
}

function attributeText(attribute: Attribute): string {
  if (typeof attribute === 'boolean') return `b: ${attribute}`
  if (typeof attribute === 'number') return `i: ${attribute}`
  if (typeof attribute === 'string') return `s: ${quoted(attribute)}`
  if ('float' in attribute) return `f: ${attribute.float}`
  return 'type' in attribute
    ? `type: ${dataTypes[attribute.type]}`
    : `shape { ${dimensionsText(attribute.shape)} }`
}

function dimensionsText(shape: readonly number[]): string {
  return shape.map((size) => `dim { size: ${size} }`).join(' ')
}

function constantText({ type, shape, values }: Constant): string {
  const arrays = { float: Float32Array, double: Float64Array, int32: Int32Array }
  const bytes = Buffer.from(arrays[type].from(values).buffer)
  const content = bytes.toString('hex').replace(/../g, '\\x$&')
  return `tensor { dtype: ${dataTypes[type]} tensor_shape { ${dimensionsText(shape)} } tensor_content: "${content}" }`
}

/** Names are of ASCII characters, whose escapes in JSON are those of the text format. */
function quoted(text: string): string {
  return JSON.stringify(text)
}
