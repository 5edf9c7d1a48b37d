import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Procedure } from '../tensorflow-graph/builder.js'
import { type Devices, GraphBuilder, inputName, outputName } from '../tensorflow-graph/graph-builder.js'
import { encodeSavedModel, savedModelTag } from '../tensorflow-graph/saved-model.js'
import { dataTypes, type TensorflowBinding } from './binding.js'
import type { Feeds, Program, Results } from './program.js'
import type { Protocol } from './protocol.js'

interface Call {
  readonly inputs: readonly { readonly name: string; readonly type: number }[]
  readonly inputNames: string
  readonly outputs: readonly string[]
  readonly outputNames: string
}

/** The procedures as one graph in a session of TensorFlow: a call is one step of the session. */
export function graphProgram(
  binding: TensorflowBinding,
  protocol: Protocol,
  procedures: readonly Procedure[],
  devices: Devices,
): Program {
  const builder = new GraphBuilder(devices)
  const calls = new Map(procedures.map((procedure) => [procedure.name, addCall(builder, procedure)]))
  const model = loadGraph(binding, protocol, builder)
  return {
    run: (procedure, feeds) => run(binding, model, calls.get(procedure)!, feeds),
    dispose: () => binding.deleteSavedModel(model),
  }
}

function addCall(builder: GraphBuilder, procedure: Procedure): Call {
  const outputs = builder.add(procedure)
  const inputs = Object.entries(procedure.inputs).map(([name, type]) => ({ name, type: dataTypes[type] }))
  return {
    inputs,
    inputNames: inputs.map(({ name }) => `${inputName(procedure.name, name)}:0`).join(','),
    outputs,
    outputNames: outputs.map((name) => `${outputName(procedure.name, name)}:0`).join(','),
  }
}

/** The binding loads graphs from folders alone. */
function loadGraph(binding: TensorflowBinding, protocol: Protocol, { nodes }: GraphBuilder): number {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-graph-'))
  try {
    writeFileSync(join(folder, 'saved_model.pb'), encodeSavedModel(protocol, nodes))
    return binding.loadSavedModel(folder, savedModelTag)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function run(binding: TensorflowBinding, model: number, call: Call, feeds: Feeds): Results {
  const tensors: number[] = []
  try {
    for (const { name, type } of call.inputs) {
      const { shape, values } = feeds[name]!
      tensors.push(binding.createTensor(shape, type, values))
    }
    const infos = binding.runSavedModel(model, tensors, call.inputNames, call.outputNames)
    tensors.push(...infos.map(({ id }) => id))
    const arrays = infos.map(({ id }) => binding.tensorDataSync(id) as Float32Array)
    return Object.fromEntries(call.outputs.map((name, i) => [name, arrays[i]!]))
  } finally {
    for (const id of tensors) binding.deleteTensor(id)
  }
}
