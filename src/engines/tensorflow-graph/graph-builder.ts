import type { DataType } from '../tensorflow/binding.js'
import {
  type Attributes,
  type Builder,
  type Place,
  type Procedure,
  type Value,
  variableAttributes,
} from './builder.js'

/** A node of a GraphDef, as saved-model.ts writes it. */
export interface GraphNode {
  readonly name: string
  readonly op: string
  /** `name:output`, and `^name` for a node that must run before. */
  readonly inputs: readonly string[]
  readonly attributes: Attributes
  readonly constant: Constant | null
  readonly device: string
}

export interface Constant {
  readonly type: 'float' | 'double' | 'int32'
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

/** Device names by place: on a machine without a card all are the CPU. */
export type Devices = Readonly<Record<Place, string>>

/** Writes ops down as nodes. Each procedure is a part of the graph of its own; variables and constants are shared. */
export class GraphBuilder implements Builder {
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

  /** Adds a procedure; its inputs and outputs are the nodes that inputName and outputName name. Returns its outputs. */
  add({ name, inputs, build }: Procedure): readonly string[] {
    this.#prefix = `${name}/`
    this.#effects = []
    // Whole numbers steer: they are wanted in the host's memory, the rest where the numbers are.
    const placeholders = Object.entries(inputs).map(([input, type]) => {
      const place = type === 'int32' ? 'host' : 'device'
      const attributes = { dtype: { type } }
      return [
        input,
        this.at(place, () => this.#node(inputName(name, input), 'Placeholder', [], attributes, type)),
      ]
    })
    const outputs = build(this, Object.fromEntries(placeholders))
    for (const [output, value] of Object.entries(outputs)) {
      const after = this.#effects.map((effect) => `^${effect}`)
      const attributes = { T: { type: value.type } }
      this.#node(
        outputName(name, output),
        'Identity',
        [this.#reference(value), ...after],
        attributes,
        value.type,
      )
    }
    return Object.keys(outputs)
  }

  op(
    name: string,
    inputs: readonly Value[],
    attributes: Attributes,
    outputs: readonly DataType[],
  ): readonly Value[] {
    const references = inputs.map((input) => this.#reference(input))
    const { node } = this.#node(this.#nextName(name), name, references, attributes, 'float')
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

  variable(name: string, type: DataType, shape: readonly number[]): Value {
    const known = this.#variables.get(name)
    if (known !== undefined) return known
    const attributes = variableAttributes(name, type, shape)
    const handle = this.#node(`variable/${name}`, 'VarHandleOp', [], attributes, 'resource')
    this.#variables.set(name, handle)
    return handle
  }

  effect(op: string, inputs: readonly Value[], attributes: Attributes, after: readonly Value[]): void {
    const references = inputs.map((input) => this.#reference(input))
    const before = after.map((value) => `^${this.nodes[value.node]!.name}`)
    const name = this.#nextName(op)
    this.#node(name, op, [...references, ...before], attributes, 'float')
    this.#effects.push(name)
  }

  at<T>(place: Place, build: () => T): T {
    const outer = this.#place
    this.#place = place
    try {
      return build()
    } finally {
      this.#place = outer
    }
  }

  #nextName(op: string): string {
    return `${this.#prefix}${op}_${this.nodes.length}`
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
