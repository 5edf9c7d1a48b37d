/** The data types of TensorFlow's C API. */
export const dataTypes = {
  float: 1,
  double: 2,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  resource: 20,
  uint64: 23,
} as const
export type DataType = keyof typeof dataTypes

/** An op of the graph. */
export interface Op {
  /** Index in Graph.nodes. */
  readonly node: number
}

/** A tensor of the graph: an output of an op. */
export interface Value extends Op {
  readonly type: DataType
  readonly output: number
}

export type Values = Readonly<Record<string, Value>>

/** A part of the graph that can be called with arrays: its inputs, and how its outputs are computed from them. */
export interface Procedure {
  readonly name: string
  readonly inputs: Readonly<Record<string, DataType>>
  /** Outputs are floats. */
  readonly build: (inputs: Values) => Values
}

/** An array for a procedure's input. int64 values are pairs of int32 words, the lower one first. */
export interface Feed {
  readonly shape: readonly number[]
  readonly values: HostArray
}
export type HostArray = Float32Array | Int32Array | Uint8Array

export function feed(shape: readonly number[], values: HostArray): Feed {
  return { shape, values }
}

/** An attribute of an op: a whole number, a flag, a text, a float, a data type, or a shape (−1: any length). */
type Attribute =
  | number
  | boolean
  | string
  | { readonly float: number }
  | { readonly type: DataType }
  | { readonly shape: readonly number[] }
export type Attributes = Readonly<Record<string, Attribute>>

/** Where an op runs: on the device that trains (a graphics card, if there is one), or in the host's memory. */
type Place = 'device' | 'host'

/** TensorFlow's device names. On a machine without a graphics card both are the CPU. */
export type Devices = Readonly<Record<Place, string>>

/** A node of a GraphDef. */
interface GraphNode {
  readonly name: string
  readonly op: string
  /** `name:output`, and `^name` for a node that must run before. */
  readonly inputs: readonly string[]
  readonly attributes: Attributes
  readonly constant: Constant | null
  readonly device: string
}

interface Constant {
  readonly type: 'float' | 'double' | 'int32'
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

/**
 * Collects TensorFlow's raw ops as nodes. Each procedure has nodes of its own; variables and constants are shared. Each op
 * names its device: one that the graphics card cannot run is an error, never moved to the CPU.
 */
export class Graph {
  readonly nodes: GraphNode[] = []
  readonly #devices: Devices
  readonly #variables = new Map<string, Value>()
  readonly #constants = new Map<string, Value>()
  #place: Place = 'device'
  #prefix = ''
  #effects: string[] = []

  constructor(devices: Devices) {
    this.#devices = devices
  }

  /** Adds a procedure, whose inputs and outputs get the names of inputName and outputName. Returns its outputs. */
  addProcedure({ name, inputs, build }: Procedure): readonly string[] {
    this.#prefix = `${name}/`
    this.#effects = []
    const placeholders = Object.entries(inputs).map(([input, type]) => [
      input,
      this.#placeholder(inputName(name, input), type),
    ])
    const outputs = build(Object.fromEntries(placeholders))
    for (const [output, value] of Object.entries(outputs)) {
      const references = [this.#reference(value), ...this.#effects.map((effect) => `^${effect}`)]
      const attributes = { T: { type: value.type } }
      this.#node(outputName(name, output), 'Identity', references, attributes, value.type)
    }
    return Object.keys(outputs)
  }

  /** Adds an op, which runs after the ops of `after`. */
  op(
    name: string,
    inputs: readonly Value[],
    attributes: Attributes,
    outputs: readonly DataType[],
    after: readonly Op[] = [],
  ): readonly Value[] {
    const { node } = this.#opNode(name, inputs, attributes, after)
    return outputs.map((type, output) => ({ type, node, output }))
  }

  constant(type: Constant['type'], shape: readonly number[], values: readonly number[]): Value {
    const key = [this.#place, type, shape, values].join(':')
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const name = `constant/${this.nodes.length}`
    const constant = this.#node(name, 'Const', [], { dtype: { type } }, type, { type, shape, values })
    this.#constants.set(key, constant)
    return constant
  }

  /** Returns the handle of a variable that outlives the call, the same for the same name. */
  variable(name: string, type: DataType, shape: readonly number[]): Value {
    const known = this.#variables.get(name)
    if (known !== undefined) return known
    const attributes = { dtype: { type }, shape: { shape }, shared_name: name, container: '' }
    const handle = this.#node(`variable/${name}`, 'VarHandleOp', [], attributes, 'resource')
    this.#variables.set(name, handle)
    return handle
  }

  /** Adds an op without outputs that changes a variable. It runs after the ops of `after`, and before the call returns. */
  effect(op: string, inputs: readonly Value[], attributes: Attributes, after: readonly Op[]): Op {
    const { node } = this.#opNode(op, inputs, attributes, after)
    this.#effects.push(this.nodes[node]!.name)
    return { node }
  }

  /** Places the ops that `build` adds. */
  at<T>(place: Place, build: () => T): T {
    const outer = this.#place
    this.#place = place
    try {
      return build()
    } finally {
      this.#place = outer
    }
  }

  /** Whole numbers are indices and sizes, which TensorFlow reads in the host's memory. */
  #placeholder(name: string, type: DataType): Value {
    const place = type === 'int32' ? 'host' : 'device'
    return this.at(place, () => this.#node(name, 'Placeholder', [], { dtype: { type } }, type))
  }

  #opNode(op: string, inputs: readonly Value[], attributes: Attributes, after: readonly Op[]): Value {
    const references = inputs.map((input) => this.#reference(input))
    const before = after.map(({ node }) => `^${this.nodes[node]!.name}`)
    const name = `${this.#prefix}${op}_${this.nodes.length}`
    return this.#node(name, op, [...references, ...before], attributes, 'float')
  }

  #node(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Attributes,
    type: DataType,
    constant: Constant | null = null,
  ): Value {
    this.nodes.push({ name, op, inputs, attributes, constant, device: this.#devices[this.#place] })
    return { type, node: this.nodes.length - 1, output: 0 }
  }

  #reference({ node, output }: Value): string {
    return `${this.nodes[node]!.name}:${output}`
  }
}

export function inputName(procedure: string, input: string): string {
  return `${procedure}/inputs/${input}`
}

export function outputName(procedure: string, output: string): string {
  return `${procedure}/outputs/${output}`
}

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
