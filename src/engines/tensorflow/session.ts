import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Devices,
  dataTypes,
  type Feed,
  type Graph,
  type HostArray,
  inputName,
  outputName,
  type Procedure,
  savedModelTag,
  savedModelText,
} from '../tensorflow-graph/graph.js'
import { Ops } from '../tensorflow-graph/ops.js'

interface TensorInfo {
  readonly id: number
  readonly shape: readonly number[]
  readonly dtype: number
}

/**
 * The calls used here of the addon of `@tensorflow/tfjs-node-gpu`, binding/tfjs_binding.cc. Tensors and models are numbers
 * that live until they are deleted. All calls block.
 */
export interface TensorflowBinding {
  readonly TF_Version: string
  isUsingGpuDevice(): boolean
  createTensor(shape: readonly number[], dataType: number, values: HostArray): number
  deleteTensor(id: number): void
  /** Throws for types other than float and int32. */
  tensorDataSync(id: number): Float32Array | Int32Array
  loadSavedModel(folder: string, tags: string): number
  /** Names are `name:output`, joined by commas. */
  runSavedModel(
    id: number,
    inputs: readonly number[],
    inputNames: string,
    outputNames: string,
  ): readonly TensorInfo[]
  /** Frees the model's variables, too. */
  deleteSavedModel(id: number): void
  getNumOfTensors(): number
  getNumOfSavedModels(): number
}

/** @throws the loader's own error if the addon does not fit this machine or its TensorFlow. */
export function loadTensorflowBinding(addon: string): TensorflowBinding {
  return createRequire(import.meta.url)(addon) as TensorflowBinding
}

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

  constructor(binding: TensorflowBinding, procedures: (ops: Ops) => readonly Procedure[], devices: Devices) {
    const graph = new Ops(devices)
    this.#binding = binding
    this.#calls = new Map(procedures(graph).map((procedure) => [procedure.name, addCall(graph, procedure)]))
    this.#model = loadGraph(binding, graph)
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
  const outputs = graph.addProcedure(procedure)
  const inputs = Object.entries(procedure.inputs).map(([name, type]) => ({ name, type: dataTypes[type] }))
  return {
    inputs,
    inputNames: inputs.map(({ name }) => `${inputName(procedure.name, name)}:0`).join(','),
    outputs,
    outputNames: outputs.map((name) => `${outputName(procedure.name, name)}:0`).join(','),
  }
}

/** The binding loads a graph only from a folder. */
function loadGraph(binding: TensorflowBinding, { nodes }: Graph): number {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-graph-'))
  try {
    writeFileSync(join(folder, 'saved_model.pbtxt'), savedModelText(nodes))
    return binding.loadSavedModel(folder, savedModelTag)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
