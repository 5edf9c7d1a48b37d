import {
  type Attribute,
  type Attributes,
  type Builder,
  type Place,
  type Value,
  variableAttributes,
} from '../../tensorflow-graph/builder.js'
import {
  attributeTypes,
  type BindingAttribute,
  type DataType,
  dataTypes,
  type TensorflowBinding,
} from '../binding.js'

/** Runs each op at once. TensorFlow chooses the place: the binding cannot say one. */
export class EagerBuilder implements Builder {
  readonly #binding: TensorflowBinding
  readonly #variables = new Map<string, Value>()
  #owned: number[] = []

  constructor(binding: TensorflowBinding) {
    this.#binding = binding
  }

  /** Runs `use` and deletes the tensors that were made in it. */
  scope<T>(use: () => T): T {
    try {
      return use()
    } finally {
      for (const id of this.#owned) this.#binding.deleteTensor(id)
      this.#owned = []
    }
  }

  /** A tensor that goes at the end of the scope. */
  owned(id: number, type: DataType): Value {
    this.#owned.push(id)
    return { type, node: id, output: 0 }
  }

  op(
    name: string,
    inputs: readonly Value[],
    attributes: Attributes,
    outputs: readonly DataType[],
  ): readonly Value[] {
    const infos = this.#execute(name, inputs, attributes, outputs.length)
    return infos.map(({ id }, output) => this.owned(id, outputs[output]!))
  }

  constant(type: 'float' | 'double' | 'int32', shape: readonly number[], values: readonly number[]): Value {
    const array = type === 'int32' ? Int32Array.from(values) : Float32Array.from(values)
    const created = type === 'double' ? 'float' : type
    const value = this.owned(this.#binding.createTensor(shape, dataTypes[created], array), created)
    if (type !== 'double') return value
    return this.op('Cast', [value], { SrcT: { type: 'float' }, DstT: { type }, Truncate: false }, [type])[0]!
  }

  variable(name: string, type: DataType, shape: readonly number[]): Value {
    const known = this.#variables.get(name)
    if (known !== undefined) return known
    const attributes = variableAttributes(name, type, shape)
    const [info] = this.#execute('VarHandleOp', [], attributes, 1)
    const handle: Value = { type: 'resource', node: info!.id, output: 0 }
    this.#variables.set(name, handle)
    return handle
  }

  effect(name: string, inputs: readonly Value[], attributes: Attributes): void {
    this.#execute(name, inputs, attributes, 0)
  }

  at<T>(_place: Place, build: () => T): T {
    return build()
  }

  dispose(): void {
    for (const handle of this.#variables.values()) {
      this.#execute('DestroyResourceOp', [handle], { ignore_lookup_error: true }, 0)
      this.#binding.deleteTensor(handle.node)
    }
    this.#variables.clear()
  }

  #execute(name: string, inputs: readonly Value[], attributes: Attributes, outputs: number) {
    const list = Object.entries(attributes).map(([key, value]) => bindingAttribute(key, value))
    const ids = inputs.map(({ node }) => node)
    return this.#binding.executeOp(name, list, ids, outputs)
  }
}

function bindingAttribute(name: string, attribute: Attribute): BindingAttribute {
  if (typeof attribute === 'boolean') return { name, type: attributeTypes.bool, value: attribute }
  if (typeof attribute === 'number') return { name, type: attributeTypes.int, value: attribute }
  if (typeof attribute === 'string') return { name, type: attributeTypes.string, value: attribute }
  if ('type' in attribute) return { name, type: attributeTypes.type, value: dataTypes[attribute.type] }
  return { name, type: attributeTypes.shape, value: attribute.shape }
}
