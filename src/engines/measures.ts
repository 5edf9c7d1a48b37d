import { type CoreMeasures, loadNativeBinding, type MeasuredOutputs } from './native/binding.js'
import { WasmCore } from './wasm/core.js'
import { compiledModule } from './wasm/engine.js'

/**
 * Returns the core's measures, which have the same bits on every machine: those of the addon, or of WebAssembly if it cannot
 * be loaded or EIGENAE_ISA names an instruction set that this processor lacks.
 */
export async function coreMeasures(): Promise<CoreMeasures> {
  try {
    const { binding } = loadNativeBinding()
    if (binding.instructionSets.includes(process.env.EIGENAE_ISA || binding.instructionSets[0]!))
      return binding
  } catch {}
  wasmMeasures ??= openWasmMeasures()
  return wasmMeasures
}

let wasmMeasures: Promise<CoreMeasures> | undefined

/** Opens measures on one thread of WebAssembly, in a memory that all calls of this process use in turn. */
export async function openWasmMeasures(): Promise<CoreMeasures> {
  const { module } = await compiledModule()
  const core = new WasmCore(module)
  core.start(1)
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(call: () => Promise<T>): Promise<T> => {
    const result = last.then(call)
    last = result.catch(() => undefined)
    return result
  }
  return {
    findNeighbours: ({ points, queries, dimensions, neighbours, leaveOut }) => {
      const [pointCount, queryCount] = [points.length / dimensions, queries.length / dimensions]
      let [running, stopped] = [false, false]
      const found = inTurn(async () => {
        const length = queryCount * neighbours
        if (stopped) return new Int32Array(length)
        const addresses = [core.put(points), core.put(queries), core.allocate(4 * length)]
        return core.with(addresses, async (pointsAt, queriesAt, indices) => {
          running = true
          const sizes = [dimensions, neighbours, Number(leaveOut)]
          await core.call('findNeighbours', pointsAt!, pointCount, queriesAt!, queryCount, ...sizes, indices!)
          running = false
          return core.get(Int32Array, indices!, length)
        })
      })
      const stop = () => {
        stopped = true
        if (running) core.exports.stopCall()
      }
      return { found, stop }
    },
    measureLayer: ({ outputs, width, center, ranked, norm }) =>
      inTurn(async (): Promise<MeasuredOutputs> => {
        const constants = norm === null ? [] : [core.put(Float64Array.of(...norm.scale, ...norm.shift))]
        const length = 2 + (ranked ? width : 0)
        const addresses = [core.put(outputs), core.allocate(8 * length), ...constants]
        return core.with(addresses, async (outputsAt, results, normAt = 0) => {
          const sizes = [outputs.length / width, width, Number(center), Number(ranked)]
          await core.call('measureLayer', outputsAt!, ...sizes, normAt, results!)
          const [silentUnits, meanVariance, ...eigenvalues] = core.get(Float64Array, results!, length)
          return {
            silentUnits: silentUnits!,
            meanVariance: meanVariance!,
            eigenvalues: Float64Array.from(eigenvalues),
          }
        })
      }),
  }
}
