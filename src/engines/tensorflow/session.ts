import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Devices,
  dataTypes,
  type Feed,
  Graph,
  inputName,
  outputName,
  type Procedure,
} from '../tensorflow-graph/graph.js'
import { encodeSavedModel, type Protocol, savedModelTag } from '../tensorflow-graph/saved-model.js'
import type { TensorflowBinding } from './binding.js'

export type Feeds = Readonly<Record<string, Feed>>
export type Results = Readonly<Record<string, Float32Array>>

/** A procedure's names in the graph, as the binding takes them. */
interface Call {
  readonly inputs: readonly { readonly name: string; readonly type: number }[]
  readonly inputNames: string
  readonly outputs: readonly string[]
  readonly outputNames: string
}

/** A session of TensorFlow with one graph of all procedures, and the variables that they share. All calls block. */
export class Session {
  readonly #binding: TensorflowBinding
  readonly #calls: ReadonlyMap<string, Call>
  readonly #model: number

  constructor(
    binding: TensorflowBinding,
    protocol: Protocol,
    procedures: readonly Procedure[],
    devices: Devices,
  ) {
    const graph = new Graph(devices)
    this.#binding = binding
    this.#calls = new Map(procedures.map((procedure) => [procedure.name, addCall(graph, procedure)]))
    this.#model = loadGraph(binding, protocol, graph)
  }

  /** @throws Error with TensorFlow's message. */
  run(procedure: string, feeds: Feeds): Results {
    const { inputs, inputNames, outputs, outputNames } = this.#calls.get(procedure)!
    const tensors: number[] = []
    try {
      for (const { name, type } of inputs) {
        const { shape, values } = feeds[name]!
        tensors.push(this.#binding.createTensor(shape, type, values))
      }
      const infos = this.#binding.runSavedModel(this.#model, tensors, inputNames, outputNames)
      tensors.push(...infos.map(({ id }) => id))
      const arrays = infos.map(({ id }) => this.#binding.tensorDataSync(id) as Float32Array)
      return Object.fromEntries(outputs.map((name, i) => [name, arrays[i]!]))
    } finally {
      for (const id of tensors) this.#binding.deleteTensor(id)
    }
  }

  /** Frees the graph and its variables. */
  dispose(): void {
    this.#binding.deleteSavedModel(this.#model)
  }
}

function addCall(graph: Graph, procedure: Procedure): Call {
  const outputs = graph.add(procedure)
  const inputs = Object.entries(procedure.inputs).map(([name, type]) => ({ name, type: dataTypes[type] }))
  return {
    inputs,
    inputNames: inputs.map(({ name }) => `${inputName(procedure.name, name)}:0`).join(','),
    outputs,
    outputNames: outputs.map((name) => `${outputName(procedure.name, name)}:0`).join(','),
  }
}

/** The binding loads a graph only from a folder. */
function loadGraph(binding: TensorflowBinding, protocol: Protocol, { nodes }: Graph): number {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-graph-'))
  try {
    writeFileSync(join(folder, 'saved_model.pb'), encodeSavedModel(protocol, nodes))
    return binding.loadSavedModel(folder, savedModelTag)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
