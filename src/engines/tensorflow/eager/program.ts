import type { Procedure, Value } from '../../tensorflow-graph/builder.js'
import { dataTypes, type TensorflowBinding } from '../binding.js'
import type { Feeds, Program, Results } from '../program.js'
import { EagerBuilder } from './builder.js'

/** The procedures run op by op: slower than a graph, but nothing stands between an op and its numbers. */
export function eagerProgram(binding: TensorflowBinding, procedures: readonly Procedure[]): Program {
  const byName = new Map(procedures.map((procedure) => [procedure.name, procedure]))
  const builder = new EagerBuilder(binding)
  return {
    run: (name, feeds) => builder.scope(() => run(binding, builder, byName.get(name)!, feeds)),
    dispose: () => builder.dispose(),
  }
}

function run(
  binding: TensorflowBinding,
  builder: EagerBuilder,
  { inputs, build }: Procedure,
  feeds: Feeds,
): Results {
  const values = Object.entries(inputs).map(([name, type]): [string, Value] => {
    const { shape, values } = feeds[name]!
    return [name, builder.owned(binding.createTensor(shape, dataTypes[type], values), type)]
  })
  const outputs = build(builder, Object.fromEntries(values))
  const read = ([name, { node }]: [string, Value]) => [name, binding.tensorDataSync(node) as Float32Array]
  return Object.fromEntries(Object.entries(outputs).map(read))
}
